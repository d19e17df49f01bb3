from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from vtbridge.training.evaluate.plots import BINS, means_by_bin, plot


def test_errors_are_averaged_where_the_value_lies() -> None:
    values = np.array([-1.0, -0.9, 0.9, 1.0], np.float32)
    errors = np.array([10.0, 20.0, 40.0, 42.0])
    width = 2 / BINS
    assert means_by_bin(values, errors, -1) == [(-1 + width / 2, 15.0), (1 - width / 2, 41.0)]


def test_a_plot_is_well_formed_and_has_a_line_a_row() -> None:
    values = np.linspace(0, 1, 50, dtype=np.float32)
    rows = {"identity": 20 + values.astype(np.float64), "PU-L1": np.full(50, 30.0)}
    tree = ElementTree.fromstring(plot("mouth", values, rows, low=0))  # noqa: S314
    lines = [each for each in tree.iter() if each.tag == "polyline"]
    assert [line.get("class") for line in lines] == ["s0", "s1"]
    heights = [
        {float(point.split(",")[1]) for point in (line.get("points") or "").split()}
        for line in lines
    ]
    assert len(heights[1]) == 1
    assert min(heights[0]) > max(heights[1])  # a better row lies higher on the page
