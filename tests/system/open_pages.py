#!/usr/bin/env python3
"""Opens HTML files in headless Chromium: no console message, no failed request, nothing wider than the window.

usage: open_pages.py FILE.html... [--pictures FOLDER]
"""
import pathlib
import shutil
import sys

from selenium import webdriver
from selenium.webdriver.chrome.service import Service


def main():
    arguments = sys.argv[1:]
    pictures = None
    if "--pictures" in arguments:
        at = arguments.index("--pictures")
        pictures = pathlib.Path(arguments[at + 1])
        del arguments[at:at + 2]
    options = webdriver.ChromeOptions()
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--window-size=1280,1600"):
        options.add_argument(option)
    options.binary_location = shutil.which("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    page = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
    try:
        for name in arguments:
            page.get(pathlib.Path(name).resolve().as_uri())
            messages = [entry["message"] for entry in page.get_log("browser")]
            if messages:
                raise SystemExit(f"FAILED: {name}: " + "\n".join(messages))
            if not page.title.startswith("glint"):
                raise SystemExit(f"FAILED: {name}: its title is '{page.title}'")
            wide = page.execute_script("return document.documentElement.scrollWidth > window.innerWidth + 2")
            broken = page.execute_script("return [...document.images].filter(i => !i.complete || !i.naturalWidth).length")
            if wide or broken:
                raise SystemExit(f"FAILED: {name}: wider than the window: {wide}, broken pictures: {broken}")
            if pictures:
                page.save_screenshot(str(pictures / (pathlib.Path(name).stem + ".png")))
            print("ok:", name)
    finally:
        page.quit()


main()
