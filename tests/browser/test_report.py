"""The pages in a real browser: opened from a file, shown whole, without one refusal by their own security policy."""

from __future__ import annotations

import re
import runpy
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from harness import Layer
from harness.ambiguity import size_table
from harness.frameworks import registry
from reports import html

EXAMPLES = Path(__file__).parents[1] / "unit" / "reports" / "report_examples.py"
NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
RULER = """<script>
const page = document.documentElement;
for (const fold of document.querySelectorAll("details")) fold.open = true;
parent.postMessage(`${page.clientWidth} ${page.scrollWidth}`, "*");
</script>"""
MARKS = """<script>
const drawings = [...document.querySelectorAll(".panels svg")];
const inside = (a, b) => a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom;
let marks = 0, empty = 0, outside = 0, overlaps = 0;
for (const drawing of drawings) {
  const frame = drawing.getBoundingClientRect();
  const boxes = [...drawing.querySelectorAll("g")].map((g) => g.getBoundingClientRect());
  marks += boxes.length;
  empty += boxes.filter((box) => box.width < 4 || box.height < 4).length;
  outside += boxes.filter((box) => !inside(box, frame)).length;
  overlaps += boxes.length - new Set(boxes.map((box) => `${Math.round(box.left)} ${Math.round(box.top)}`)).size;
}
const scroll = [...document.querySelectorAll(".side")].filter((side) => side.scrollWidth > side.clientWidth).length;
document.title = `${marks} marks, ${empty} empty, ${outside} outside, ${overlaps} overlaps, ${scroll} scroll`;
</script>"""
LISTENER = "<script>onmessage = (event) => { document.title = JSON.stringify(event.data); }</script>"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH: install the package chromium"),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example report, as a file."""
    examples = runpy.run_path(str(EXAMPLES))
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html.render(examples["full"](), examples["size_tables"]()), encoding="utf-8")
    return path


def browse(path: Path, profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Open a file in a headless Chromium of its own; console messages are in its stderr."""
    assert CHROMIUM is not None
    fixed = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr", "--v=0"]
    command = [CHROMIUM, *fixed, f"--user-data-dir={profile}", *options, path.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def test_the_page_shows_its_sections_and_breaks_no_policy(report: Path, tmp_path: Path) -> None:
    """The parsed document has every section and finding, no script of the data, and the policy refused nothing."""
    done = browse(report, tmp_path / "profile", "--dump-dom")
    for name in ("targets", "agreement", "findings", "sizes", "reading"):
        assert f'id="section-{name}"' in done.stdout
    assert 'id="3fa9c0de1b22"' in done.stdout
    assert "≠ shifted" in done.stdout
    assert "<script" not in done.stdout
    assert "<img" not in done.stdout
    assert "Content Security Policy" not in done.stderr
    assert "CONSOLE" not in done.stderr


def test_a_refusal_would_be_seen(report: Path, tmp_path: Path) -> None:
    """The check above can fail: with one more rule in the style sheet its hash is wrong and the browser says so."""
    broken = tmp_path / "broken.html"
    broken.write_text(
        report.read_text(encoding="utf-8").replace("</style>", "p { color: red }</style>"), encoding="utf-8"
    )
    assert "Content Security Policy" in browse(broken, tmp_path / "profile", "--dump-dom").stderr


def test_the_page_is_drawn(report: Path, tmp_path: Path) -> None:
    """The page opens in a window and the drawing is not blank."""
    shot = tmp_path / "shot.png"
    browse(report, tmp_path / "profile", "--window-size=1400,1200", f"--screenshot={shot}")
    drawn = shot.read_bytes()
    assert struct.unpack(">II", drawn[16:24]) == (1400, 1200)
    assert len(drawn) > 20_000


@pytest.fixture(scope="module")
def size_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of ``deconvdiff sizes``: twelve input sizes of a layer, for every API."""
    apis = [api() for api in registry.apis()]
    table = size_table(Layer(kernel_size=3, stride=2, padding=1, ndim=1), [range(1, 13)], apis)
    path = tmp_path_factory.mktemp("sizes") / "sizes.html"
    path.write_text(html.render_sizes(table, command="deconvdiff sizes …"), encoding="utf-8")
    return path


def test_the_picture_of_sizes_breaks_no_policy(size_page: Path, tmp_path: Path) -> None:
    """The forward view and a grid for each API are in the document, and the policy refused nothing."""
    done = browse(size_page, tmp_path / "profile", "--dump-dom")
    assert done.stdout.count("<svg width") == 1 + len(registry.apis())
    assert "5 and 6 → 3" in done.stdout
    assert "Content Security Policy" not in done.stderr
    assert "CONSOLE" not in done.stderr


def test_the_marks_of_the_picture_are_drawn_and_do_not_overlap(size_page: Path, tmp_path: Path) -> None:
    """Each mark has an extent of its own, all lie inside of their drawing, and a frame that is too wide scrolls."""
    text = re.sub("<meta http-equiv.*?>", "", size_page.read_text(encoding="utf-8"))  # the ruler below is a script
    page = tmp_path / "page.html"
    page.write_text(text.replace("</body>", f"{MARKS}</body>"), encoding="utf-8")
    done = browse(page, tmp_path / "profile", "--window-size=500,900", "--dump-dom")
    (found,) = re.findall("<title>(.*?)</title>", done.stdout)[:1]
    assert (
        found == f"{len(registry.apis()) * 24} marks, 0 empty, 0 outside, 0 overlaps, {1 + len(registry.apis())} scroll"
    )


@pytest.mark.parametrize("name", ["report", "size_page"])
@pytest.mark.parametrize("width", [400, 1400])
def test_the_page_is_no_wider_than_its_window(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, width: int
) -> None:
    """At a phone's and at a desk's width only the tables scroll sideways, each in its own frame."""
    shown: Path = request.getfixturevalue(name)
    text = re.sub("<meta http-equiv.*?>", "", shown.read_text(encoding="utf-8"))  # the ruler below is a script
    (tmp_path / "page.html").write_text(text.replace("</body>", f"{RULER}</body>"), encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(f'{LISTENER}<iframe src="page.html" style="width: {width}px; height: 900px; border: 0"></iframe>')
    done = browse(frame, tmp_path / "profile", "--window-size=1600,1000", "--dump-dom")
    assert f'<title>"{width} {width}"</title>' in done.stdout
