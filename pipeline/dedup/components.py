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
    return tie(both_ways(edges), large=True)


def small_star(edges: Nodes) -> Nodes:
    """One small-star step: a node and its smaller neighbours are tied to the smallest of them.

    Args:
        edges: E x 2 nodes; all edges of a node to smaller ones must be there.

    Returns:
        Edges of the same components, without loops and repetitions.
    """
    return tie(downwards(edges), large=False)


def both_ways(edges: Nodes) -> Nodes:
    """Every node beside each of its neighbours.

    Args:
        edges: E x 2 nodes.

    Returns:
        Twice as many rows.
    """
    return np.concatenate((edges, edges[:, ::-1]))


def downwards(edges: Nodes) -> Nodes:
    """Every node beside each of its smaller neighbours.

    Args:
        edges: E x 2 nodes.

    Returns:
        As many rows.
    """
    return np.sort(edges, axis=1)[:, ::-1]


def loose_nodes(rows: Nodes) -> int:
    """How many nodes are neither a centre, smaller than all their neighbours, nor tied to one alone.

    Args:
        rows: nodes beside their neighbours, all of each node.

    Returns:
        Their number; 0 in all ranges of a graph that is nothing but stars.
    """
    ordered = np.unique(rows, axis=0)
    starts, sizes = equal_runs(ordered[:, 0])
    # Neighbours ascend, so the first is the smallest.
    return int(np.count_nonzero((sizes > 1) & (ordered[starts, 1] < ordered[starts, 0])))


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


def tie(rows: Nodes, *, large: bool) -> Nodes:
    """One star step for some nodes: neighbours are tied to the smallest among node and neighbours.

    Args:
        rows: nodes beside their neighbours: all of each node, or for a small star all smaller ones.
        large: tie the greater neighbours; else the node and the smaller ones.

    Returns:
        Edges, smaller node first, without loops and repetitions.
    """
    ordered = rows[np.argsort(rows[:, 0], kind="stable")]
    starts, sizes = equal_runs(ordered[:, 0])
    if not len(starts):
        return ordered
    smallest = np.minimum(np.minimum.reduceat(ordered[:, 1], starts), ordered[starts, 0])
    greater = ordered[:, 1] > ordered[:, 0]
    tied = np.stack((np.repeat(smallest, sizes), ordered[:, 1]), axis=1)[greater if large else ~greater]
    own = np.stack((smallest, ordered[starts, 0]), axis=1)
    return _plain(np.concatenate((tied, own)))


def _plain(edges: Nodes) -> Nodes:
    """Smaller node first, sorted, without loops and repetitions."""
    ordered = np.sort(edges, axis=1)
    return np.unique(ordered[ordered[:, 0] != ordered[:, 1]], axis=0)
