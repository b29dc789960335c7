"""The picture of a size table: a mark in every cell, in its place, and the same in words."""

from __future__ import annotations

from dataclasses import replace

import report_examples as examples

from harness.layer import Crop, Layer, Spelling
from harness.records import ApiSizes, AxisSizes, Reach, SizeTable
from reports.picture import Mark, Picture, pictures, sizes_page, width_of

LAYER = Layer(kernel_size=3, stride=2, padding=1, ndim=1)


def entry(n: int, *, axis: int = 0) -> AxisSizes:
    """K = 3, s = 2, p = 1 at one input size: APIs that pick right, shifted, or what is not valid."""
    low, high = 2 * n - 1, 2 * n
    same = {m: Reach({}, "", Crop(1, 1 - (m - low)), same_crop=True) for m in (low, high)}
    shifted = Reach({}, "", Crop(0, 1), same_crop=False)
    apis = (
        ApiSizes("torch", low, same, (), picked=same[low]),
        ApiSizes("jax", high, same, (), picked=shifted),
        ApiSizes("keras", high, {high: shifted}, (low,), picked=shifted),
        ApiSizes("other", high + 1, {}, (low, high), picked=replace(shifted, same_crop=True)),
        ApiSizes("none", None, {}, (low, high), limit="has no word"),
    )
    return AxisSizes(axis, n, (low, high), (Crop(1, 1), Crop(1, 0)), apis)


def picture(*entries: AxisSizes) -> Picture:
    """The one picture of these."""
    (found,) = pictures(SizeTable(LAYER, entries))
    return found


def marks(found: Picture, api: str) -> list[tuple[int, str, str]]:
    """The size, the state and the pick of each mark of an API."""
    (panel,) = (panel for panel in found.panels if panel.api == api)
    return [(mark.size, mark.state, mark.picks) for mark in panel.marks]


def test_each_mark_says_whether_a_size_is_reached_and_how_it_is_picked() -> None:
    """Reached, shifted, cannot; picked with the asked crop, or with another one although it could be reached."""
    found = picture(entry(3))
    assert marks(found, "torch") == [(5, "same", "same"), (6, "same", "")]
    assert marks(found, "jax") == [(5, "same", ""), (6, "same", "shifted")]
    assert marks(found, "keras") == [(5, "cannot", ""), (6, "shifted", "shifted")]
    assert marks(found, "other") == [(5, "cannot", ""), (6, "cannot", ""), (7, "beyond", "same")]
    assert [(panel.api, panel.limit, panel.marks) for panel in found.panels if panel.limit] == [
        ("none", "has no word", ())
    ]


def test_input_sizes_go_down_and_output_sizes_across() -> None:
    """A mark stands below its output size and beside its input size, in steps of one width, inside of the picture."""
    found = picture(*map(entry, range(1, 5)))
    across, down = ({tick.text: tick.at for tick in ticks} for ticks in (found.across, found.down))
    assert [*across] == [str(m) for m in range(1, 10)]
    assert [*down] == ["1", "2", "3", "4"]
    for panel in found.panels:
        for mark in panel.marks:
            n = -(-mark.size // 2) if mark.state != "beyond" else mark.size // 2
            assert (mark.x, mark.y) == (across[str(mark.size)], down[str(n)])
            assert 0 < mark.x < found.width
            assert 0 < mark.y < found.height
    assert {(m.x, m.y) for m in found.band} == {(m.x, m.y) for m in found.panels[0].marks}


def test_large_numbers_do_not_run_into_each_other() -> None:
    """At the margin stands every second or third one."""
    found = picture(entry(400), entry(401))
    steps = {b.at - a.at for a, b in zip(found.across, found.across[1:], strict=False)}
    assert all(step > 7 * 3 for step in steps)
    assert len(found.across) < width_of(SizeTable(LAYER, (entry(400), entry(401)))) == 5


def test_the_same_stands_in_words() -> None:
    """For each input size the forward view, and for each API every mark that is drawn."""
    found = picture(entry(3), entry(4))
    assert [(row.input_size, row.forward) for row in found.rows] == [(3, "5 and 6 → 3"), (4, "7 and 8 → 4")]
    assert found.rows[0].cells == (
        ("5: reached, picked", "6: reached"),
        ("5: reached", "6: reached, picked shifted"),
        ("5: cannot", "6: shifted, picked shifted"),
        ("5: cannot", "6: cannot", "7: not valid, picked"),
        ("5: cannot", "6: cannot"),
    )
    drawn = [mark.words for mark in found.panels[0].marks]
    assert drawn == ["3 → 5: reached, picked", "3 → 6: reached", "4 → 7: reached, picked", "4 → 8: reached"]


def test_equal_axes_share_a_picture() -> None:
    """Two axes that are the same in every mark are one; another one is not."""
    table = SizeTable(LAYER, (entry(3), entry(3, axis=1), entry(4, axis=2)))
    assert [one.title for one in pictures(table)] == ["Axes 0 and 1 (the same)", "Axis 2"]


def test_without_a_valid_size_nothing_is_drawn() -> None:
    """No band, no ticks, no marks, and no error."""
    axis = AxisSizes(0, 3, (), (), (ApiSizes("torch", None, {}, ()),))
    found = picture(axis)
    assert (found.across, found.band, found.panels[0].marks) == ((), (), ())
    assert found.rows[0].forward == "none → 3"
    assert width_of(SizeTable(LAYER, (axis,))) == 0


def test_the_heading_is_the_answer_where_there_is_one() -> None:
    """One input size: what it may become; several: which ones."""
    assert sizes_page(SizeTable(LAYER, (entry(3),)), "", "").heading == "3 may become 5 or 6"
    both = sizes_page(SizeTable(LAYER, (entry(3), entry(4))), "", "")
    assert both.heading == "Input sizes 3 or 4, and what they may become"
    assert both.open


def test_words_and_what_they_leave_out_are_said() -> None:
    """The layer's own words, and the sizes at which they mean nothing."""
    table = SizeTable(LAYER, (entry(3),), Spelling("jax", {"padding": "SAME"}), {(1,): "too small", (2,): "too small"})
    page = sizes_page(table, "deconvdiff sizes", "0.1.0")
    assert page.source == "jax: padding='SAME'"
    assert page.skipped == ("input sizes 1, 2: too small",)


def test_a_mark_is_plain_data() -> None:
    """The same table gives the same page."""
    assert isinstance(picture(entry(3)).band[0], Mark)
    tables = examples.size_tables()
    assert [pictures(table) for table in tables] == [pictures(table) for table in tables]
