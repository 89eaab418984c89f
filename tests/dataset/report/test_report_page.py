"""The page as a browser shows it: real Chromium, without a window, from file://."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any, cast

import pytest

from tests.dataset.report.conftest import SCRIPT
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.prepare import prepare

WIDTHS = (390, 1280)
SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory) -> Iterator[Any]:
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    if missing := [name for name, place in programs.items() if place is None]:
        pytest.skip(
            f"no {' and no '.join(missing)}: install chromium and chromium-driver "
            "(so named in Debian) to see the page in a browser"
        )
    webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium")
    options = webdriver.ChromeOptions()
    options.binary_location = programs["chromium"]
    for switch in SWITCHES:
        options.add_argument(switch)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    service = webdriver.ChromeService(programs["chromedriver"])
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


def show(driver: Any, manifest: Manifest, width: int = 1280) -> None:
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    driver.get((manifest.directory / "report.html").as_uri())


@pytest.fixture(scope="module")
def crops(shared_data, tmp_path_factory) -> Manifest:
    place = tmp_path_factory.mktemp("crops") / "data"
    coins = shared_data / "labelme/coins_v5"
    return prepare(coins, place, label_by="shapes", near=False)


@pytest.fixture(params=["mess", "crops"])
def manifest(request) -> Manifest:
    return cast("Manifest", request.getfixturevalue(request.param))


def test_all_of_it_is_seen(chromium, manifest):
    for entry in ("browser", "performance"):
        chromium.get_log(entry)
    show(chromium, manifest)
    images = chromium.execute_async_script(
        """
        const done = arguments[0];
        Promise.all([...document.images].map(i => i.decode().catch(() => null)))
          .then(() => done([...document.images].map(i => i.naturalWidth)));
        """
    )
    assert len(images) >= min(len(manifest.examples), 24 * len(manifest.labels))
    assert all(width > 0 for width in images)
    assert chromium.get_log("browser") == []
    loaded = chromium.execute_script(
        "return performance.getEntriesByType('resource').map(e => e.name)"
    )
    assert [name for name in loaded if not name.startswith("data:")] == []
    messages = [entry["message"] for entry in chromium.get_log("performance")]
    requests = [m for m in messages if '"Network.requestWillBeSent"' in m]
    assert requests
    assert not [m for m in requests if '"url":"http' in m or '"url":"ws' in m]


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_the_screen(chromium, manifest, width):
    show(chromium, manifest, width)
    assert chromium.execute_script("return innerWidth") == width
    # names that are too long end in dots
    wide = chromium.execute_script(
        """
        const room = document.documentElement.clientWidth;
        const wide = [...document.querySelectorAll('body *')].filter(e =>
          e.getBoundingClientRect().right > room + 0.5 && !e.closest('.file'));
        return [document.documentElement.scrollWidth - room,
                wide.map(e => e.tagName + '.' + e.className)];
        """
    )
    assert wide == [0, []]


def test_it_is_dark_where_that_is_wished(chromium, mess):
    colors = {}
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        show(chromium, mess)
        colors[scheme] = chromium.execute_script(CONTRASTS)
    (light, light_ratio, number), (dark, dark_ratio, _) = (
        colors["light"],
        colors["dark"],
    )
    assert light > 0.8
    assert dark < 0.05
    # AA of the Web Content Accessibility Guidelines asks for 4.5
    assert min(light_ratio, dark_ratio) >= 4.5
    assert number > 100


# The luminance of the ground; the least contrast of a text with what is behind it;
# how many texts there are.
CONTRASTS = """
const luminance = color => {
  const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = element => {
  for (let e = element; e; e = e.parentElement) {
    const color = getComputedStyle(e).backgroundColor;
    if (!color.endsWith(', 0)')) return color;
  }
};
const ratios = [...document.querySelectorAll('body *')]
  .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
  .map(e => {
    const style = getComputedStyle(e);
    const own = e.closest('svg') ? style.fill : style.color;
    const [a, b] = [luminance(own), luminance(behind(e))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  });
return [luminance(getComputedStyle(document.documentElement).backgroundColor),
        Math.min(...ratios), ratios.length];
"""


def test_what_is_written_is_what_is_in_the_manifest(chromium, mess):
    show(chromium, mess)

    def texts(selector: str) -> list[str]:
        found: list[str] = chromium.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText)",
            selector,
        )
        return found

    assert texts("h1") == ["photos"]
    assert texts("#examples summary h3") == [SCRIPT, "b\\u202egnp & co"]
    rows = [
        [int(cell) for cell in texts(f"#classes tbody tr:nth-child({i}) td")]
        for i in (1, 2)
    ]
    assert rows == [
        [*row.values(), sum(row.values())] for row in mess.counts().values()
    ]
    assert texts("#duplicates h3 span") == ["2 images", "2 images"]
    # a link from the warning leads to what it is about
    chromium.find_element("css selector", "#warnings a").click()
    place = chromium.execute_script(
        "return document.querySelector(location.hash).getBoundingClientRect().top"
    )
    assert 0 <= place < 900
