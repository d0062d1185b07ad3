"""Energy of training: what counters of the machine say, or nothing. A figure is never guessed.

Cards are read by NVML's counter of all energy (``nvmlDeviceGetTotalEnergyConsumption``, since Volta), processors by
the RAPL counters of Linux (powercap). What neither sees (memory, disks, cooling) is the business of a factor that the
user gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

RAPL = Path("/sys/class/powercap")
_KWH = 3.6e6


class Meter:
    """Joules since it was made.

    Args:
        rapl: where counters of processors stand.
        nvml: the module ``pynvml``; None looks for it.
    """

    def __init__(self, rapl: Path = RAPL, nvml: Any = None) -> None:
        self._packages = _packages(rapl)
        self._last = {path: _microjoules(path / "energy_uj") for path in self._packages}
        self._processors = 0.0
        self._nvml, self._cards = _cards(nvml)
        self._first = [self._millijoules(card) for card in self._cards]

    @property
    def sources(self) -> list[str]:
        """What is measured.

        Returns:
            ``processors``, ``cards``, both, or nothing.
        """
        return ["processors"] * bool(self._packages) + ["cards"] * bool(self._cards)

    def joules(self) -> float | None:
        """Energy so far. Counters of processors wrap around; this must be asked every minute or so.

        Returns:
            Joules, or None where nothing can be measured.
        """
        if not self.sources:
            return None
        for path, before in self._last.items():
            now = _microjoules(path / "energy_uj")
            wrapped = _microjoules(path / "max_energy_range_uj") if now < before else 0.0
            self._processors += (now - before + wrapped) / 1e6
            self._last[path] = now
        cards = sum(self._millijoules(card) - first for card, first in zip(self._cards, self._first, strict=True))
        return self._processors + cards / 1e3

    def _millijoules(self, card: Any) -> float:
        return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(card))


@dataclass(frozen=True)
class Footprint:
    """What energy comes to.

    Attributes:
        kwh: with the factor of the building.
        joules_a_token: without it.
        grams: of CO₂ equivalent; None where the grid's intensity is not given.
    """

    kwh: float
    joules_a_token: float
    grams: float | None


def footprint(joules: float, tokens: float, *, pue: float = 1.0, grid: float | None = None) -> Footprint:
    """Energy as people speak of it (Patterson et al. 2021).

    Args:
        joules: measured.
        tokens: trained on.
        pue: energy of the building by that of the machines.
        grid: grams of CO₂ equivalent a kilowatt hour.

    Returns:
        The figures.
    """
    kwh = joules * pue / _KWH
    return Footprint(kwh, joules / tokens if tokens else 0.0, None if grid is None else kwh * grid)


def _packages(rapl: Path) -> list[Path]:
    """Whole processors; parts of them (``intel-rapl:0:0``) are counted in these."""
    found = []
    for path in sorted(rapl.glob("intel-rapl:*")) if rapl.is_dir() else []:
        try:
            _microjoules(path / "energy_uj")
        except (OSError, ValueError):  # often only root may read it
            continue
        if path.name.count(":") == 1:
            found.append(path)
    return found


def _microjoules(path: Path) -> float:
    return float(path.read_text())


def _cards(nvml: Any) -> tuple[Any, list[Any]]:
    if nvml is None:
        try:
            import pynvml as nvml  # type: ignore[no-redef,import-not-found,import-untyped,unused-ignore]
        except ImportError:
            return None, []
    try:
        nvml.nvmlInit()
        cards = [nvml.nvmlDeviceGetHandleByIndex(number) for number in range(nvml.nvmlDeviceGetCount())]
        for card in cards:
            nvml.nvmlDeviceGetTotalEnergyConsumption(card)
    except Exception:  # the library has a class for each error, and none says more than that nothing can be read
        return nvml, []
    return nvml, cards
