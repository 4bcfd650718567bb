"""The report in a real browser: it draws, it is quiet, it asks for nothing, it fits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from reporting_example import example

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "about:blank",
)
READY = """
const plots = [...document.querySelectorAll('.plot')];
return plots.length > 0 && plots.every(plot => plot.querySelector('.main-svg'));
"""
FITS = """
const width = document.documentElement.clientWidth;
const scrolls = '.scroll, .equation, .claims thead, svg';
const outside = [...document.querySelectorAll('main *, header *')].filter(e => !e.closest(scrolls)
  && e.getBoundingClientRect().right > width + 1 && e.getClientRects().length).map(e => e.tagName + '.' + e.className);
return [document.documentElement.scrollWidth - width, outside];
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromedriver on the PATH")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.get("about:blank")
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> dict[bool, Path]:
    folder = tmp_path_factory.mktemp("reports")
    return {hostile: example(hostile).report(folder / f"report-{hostile}.html") for hostile in (False, True)}


def open_at(browser, page: Path, width: int, scheme: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    for log in ("browser", "performance"):
        browser.get_log(log)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(page.as_uri())
    WebDriverWait(browser, 60).until(lambda b: b.execute_script(READY))


def requested(browser) -> set[str]:
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    return {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("hostile", [False, True])
def test_the_report_opens_offline(browser, reports, hostile, width, scheme):
    open_at(browser, reports[hostile], width, scheme)
    # An alert box would have stopped the script that waits for the figures.
    assert browser.execute_script("return document.querySelectorAll('.plot').length") == 5
    overflow, outside = browser.execute_script(FITS)
    assert overflow <= 0
    assert outside == []
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    # The browser's own start page (chrome://...) may still be loading; a file:// page cannot ask for such addresses.
    own = ("data:", "chrome://", "chrome-untrusted://")
    assert {url for url in requested(browser) if not url.startswith(own)} == {reports[hostile].as_uri()}


def test_no_script_of_a_user_runs_even_when_it_gets_into_the_page(browser, reports):
    open_at(browser, reports[False], 1280, "light")
    ran = browser.execute_async_script(
        "const done = arguments[0]; window.ran = false; document.body.insertAdjacentHTML('beforeend',"
        ' \'<img src="data:," onerror="window.ran = true">\'); setTimeout(() => done(window.ran), 300);'
    )
    assert ran is False


def test_figures_follow_the_colours_of_the_page(browser, reports):
    colours = []
    for scheme in ("light", "dark"):
        open_at(browser, reports[False], 1280, scheme)
        colours.append(browser.execute_script("return getComputedStyle(document.querySelector('.plot .xtitle')).fill"))
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "light"}]})
    from selenium.webdriver.support.ui import WebDriverWait

    script = "return getComputedStyle(document.querySelector('.plot .xtitle')).fill"
    WebDriverWait(browser, 20).until(lambda b: b.execute_script(script) == colours[0])
    assert colours[0] != colours[1]


def test_no_column_of_a_table_is_out_of_sight_on_a_phone(browser, reports):
    open_at(browser, reports[False], 390, "light")
    hidden = (
        "const width = document.documentElement.clientWidth;"
        "return [...document.querySelectorAll('.data:not(.pairs) td')].filter(e => e.getBoundingClientRect().right > width + 1).length"
    )
    assert browser.execute_script(hidden) == 0
