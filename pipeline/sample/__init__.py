"""The bundled sample crawl."""
from pathlib import Path
DIRECTORY = Path(__file__).parent
