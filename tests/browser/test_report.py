"""The report in a real browser: opened from a file, shown whole, without one refusal by its own security policy."""

from __future__ import annotations

import re
import runpy
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from reports import html

EXAMPLES = Path(__file__).parents[1] / "unit" / "reports" / "report_examples.py"
NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
RULER = """<script>
const page = document.documentElement;
for (const fold of document.querySelectorAll("details")) fold.open = true;
parent.postMessage(`${page.clientWidth} ${page.scrollWidth}`, "*");
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


@pytest.mark.parametrize("width", [400, 1400])
def test_the_page_is_no_wider_than_its_window(report: Path, tmp_path: Path, width: int) -> None:
    """At a phone's and at a desk's width only the tables scroll sideways, each in its own frame."""
    text = re.sub("<meta http-equiv.*?>", "", report.read_text(encoding="utf-8"))  # the ruler below is a script
    (tmp_path / "page.html").write_text(text.replace("</body>", f"{RULER}</body>"), encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(f'{LISTENER}<iframe src="page.html" style="width: {width}px; height: 900px; border: 0"></iframe>')
    done = browse(frame, tmp_path / "profile", "--window-size=1600,1000", "--dump-dom")
    assert f'<title>"{width} {width}"</title>' in done.stdout
