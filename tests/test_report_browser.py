"""The report in a real browser: it draws something, and everything is there, without a network."""

import os
import shutil
import signal
import struct
import subprocess
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from test_plan import small_plan

from staffcast.report import write_plan

WIDTH, HEIGHT = 1200, 1600
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium on the PATH; install Debian's package chromium to look at the report"
)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return write_plan(small_plan(), tmp_path_factory.mktemp("report"), source="small.csv")


def browse(report, profile, *flags):
    """Open the report in a fresh headless browser that can reach nothing; return what it prints."""
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-dev-shm-usage", "--hide-scrollbars", "--force-device-scale-factor=1",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}", f"--window-size={WIDTH},{HEIGHT}",
        *flags, report.as_uri(),
    ]  # fmt: skip
    # In a session of its own, so that a browser that hangs goes with all its helpers.
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8", start_new_session=True
    )
    try:
        out, _ = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    assert process.returncode == 0
    return out


def pixels(path):
    """Rows of a PNG with 8 bits a channel, read by hand: no image library needed."""
    data = Path(path).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed, width, height, channels = 8, b"", 0, 0, 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
            channels = {2: 3, 6: 4}[colour]
            assert depth == 8
        elif kind == b"IDAT":
            packed += body
        at += size + 12
    rows = np.frombuffer(zlib.decompress(packed), dtype=np.uint8).reshape(height, 1 + width * channels)
    return width, height, rows


def test_the_browser_draws_the_report(report, tmp_path):
    """The screenshot has the size asked for and shows text and plots over its whole height, not a blank page."""
    picture = tmp_path / "report.png"
    browse(report, tmp_path / "profile", f"--screenshot={picture}")
    width, height, rows = pixels(picture)
    assert (width, height) == (WIDTH, HEIGHT)
    # A PNG row of one colour is constant after the filter; ink makes its filtered bytes vary.
    inked = np.array([len(np.unique(row[1:])) > 8 for row in rows])
    assert inked.mean() > 0.3
    assert all(part.any() for part in np.array_split(inked, 4))


class Sections(HTMLParser):
    """Title and headings, and the drawings below each heading of a queue."""

    def __init__(self):
        super().__init__()
        self.inside, self.title, self.heads, self.drawings = None, "", [], []

    def handle_starttag(self, tag, attributes):
        """Begin a title or a heading, or count a drawing under the last heading."""
        if tag in ("title", "h2"):
            self.inside = tag
            if tag == "h2":
                self.heads.append("")
                self.drawings.append(0)
        elif tag == "svg" and self.drawings:
            self.drawings[-1] += 1

    def handle_endtag(self, tag):
        """End a title or a heading."""
        if tag == self.inside:
            self.inside = None

    def handle_data(self, data):
        """Keep the text of titles and headings."""
        if self.inside == "title":
            self.title += data
        elif self.inside == "h2":
            self.heads[-1] += data


def test_the_browser_finds_title_and_sections(report, tmp_path):
    """In the browser's own tree stand the title and, for each queue, a section with its drawings inside."""
    page = Sections()
    page.feed(browse(report, tmp_path / "profile", "--dump-dom"))
    assert page.title == "Staffing plan Sun 31 Mar 2024 – Sat 13 Apr 2024"
    sections = dict(zip(page.heads, page.drawings, strict=True))
    assert (sections["chat"], sections["tiny"]) == (8, 8)
    assert [h for h in page.heads if h in ("chat", "tiny")] == ["chat", "tiny"]
