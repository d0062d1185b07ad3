"""Connected components of a graph given as packed edges.

Two ways that must agree: labels on one machine, and rounds of large star and small star (Kiveris et al. 2014,
"Connected Components in MapReduce and Beyond"), of which each needs only the edges of a range of nodes. The label of a
component is its smallest node.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.stages.exchange import equal_runs

Nodes = NDArray[np.uint64]


def components(edges: Nodes) -> tuple[Nodes, Nodes]:
    """Components of what fits one machine (16 bytes an edge, some ten times that while it works).

    Every node takes the smallest label among its neighbours' and then its label's label, until nothing changes
    (Shiloach and Vishkin 1982); rounds grow with the logarithm of the longest path.

    Args:
        edges: E x 2 nodes, in any order and direction; loops and repetitions are allowed.

    Returns:
        The nodes ascending, and the label of each.
    """
    nodes, flat = np.unique(edges, return_inverse=True)
    first, second = flat.reshape(-1, 2).T
    labels = np.arange(len(nodes))
    while True:
        before = labels.copy()
        # A root takes the smaller root across each edge; others follow by jumping.
        low = np.minimum(labels[first], labels[second])
        np.minimum.at(labels, labels[first], low)
        np.minimum.at(labels, labels[second], low)
        while not np.array_equal(jumped := labels[labels], labels):
            labels = jumped
        if np.array_equal(labels, before):
            return nodes, nodes[labels]


def large_star(edges: Nodes) -> Nodes:
    """One large-star step: every greater neighbour of a node is tied to the smallest of its neighbours and itself.

    Args:
        edges: E x 2 nodes; all edges of a node must be there.

    Returns:
        Edges of the same components, without loops and repetitions.
    """
    both = np.concatenate((edges, edges[:, ::-1]))
    return _star(both, keep=lambda node, neighbour: neighbour > node)


def small_star(edges: Nodes) -> Nodes:
    """One small-star step: a node and its smaller neighbours are tied to the smallest of them.

    Args:
        edges: E x 2 nodes; all edges of a node to smaller ones must be there.

    Returns:
        Edges of the same components, without loops and repetitions.
    """
    down = np.sort(edges, axis=1)[:, ::-1]
    return _star(down, keep=lambda node, neighbour: neighbour <= node)


def by_stars(edges: Nodes) -> tuple[Nodes, Nodes]:
    """Components by alternating stars until all are stars.

    Args:
        edges: E x 2 nodes.

    Returns:
        The nodes ascending, and the label of each.
    """
    nodes = np.unique(edges)
    current = _plain(edges)
    while True:
        following = small_star(large_star(current))
        if np.array_equal(following, current):
            break
        current = following
    labels = nodes.copy()
    # In a star every edge ties a node to the smallest.
    labels[np.searchsorted(nodes, current[:, 1])] = current[:, 0]
    return nodes, labels


def _star(pairs: Nodes, keep: object) -> Nodes:
    """Ties neighbours of each first node to the smallest among node and neighbours."""
    ordered = pairs[np.argsort(pairs[:, 0], kind="stable")]
    starts, sizes = equal_runs(ordered[:, 0])
    if not len(starts):
        return ordered
    smallest = np.minimum(np.minimum.reduceat(ordered[:, 1], starts), ordered[starts, 0])
    centre = np.repeat(smallest, sizes)
    chosen = keep(ordered[:, 0], ordered[:, 1])  # type: ignore[operator]
    tied = np.stack((centre, ordered[:, 1]), axis=1)[chosen]
    own = np.stack((smallest, ordered[starts, 0]), axis=1)
    return _plain(np.concatenate((tied, own)))


def _plain(edges: Nodes) -> Nodes:
    """Smaller node first, sorted, without loops and repetitions."""
    ordered = np.sort(edges, axis=1)
    return np.unique(ordered[ordered[:, 0] != ordered[:, 1]], axis=0)
