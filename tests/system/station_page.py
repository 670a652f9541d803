#!/usr/bin/env python3
"""Drives the operator's page in headless Chromium: upload, verdict, review, drift warning, reconnect.

usage: station_page.py GLINT MODEL DATASET [--pictures FOLDER]
Starts `glint serve` itself. DATASET is a set in MVTec layout; MODEL was trained on it.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

PORT = 8761
BASE = f"http://127.0.0.1:{PORT}"


def get(path):
    with urllib.request.urlopen(BASE + path, timeout=20) as answer:
        return json.load(answer)


def post(path, body, kind="application/json"):
    request = urllib.request.Request(BASE + path, data=body, headers={"Content-Type": kind}, method="POST")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def until(what, condition, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        try:
            if condition():
                print("ok:", what, flush=True)
                return
        except Exception as error:  # noqa: BLE001 - an element that is being replaced, a server that starts
            last = error
        time.sleep(0.1)
    raise SystemExit(f"FAILED: {what}")


class Server:
    def __init__(self, arguments, folder):
        self.command = [arguments.glint, "serve", arguments.model, "--listen", f"127.0.0.1:{PORT}", "--journal",
                        str(folder / "page.db"), "--source", f"folder:{folder / 'incoming'}", "--keep-images", "all",
                        "--collect", str(folder / "good")]
        (folder / "incoming").mkdir()
        self.log = open(folder / "serve.log", "w")

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log)
        until("the server answers", lambda: get("/health")["status"] == "alive", 60)

    def kill(self):
        self.process.kill()
        self.process.wait()


def drive(page, server, folder, dataset, picture):
    text = lambda name: page.find_element(By.ID, name).text
    good = sorted((dataset / "test/good").glob("*.png"))
    page.get(BASE)
    until("the page is connected", lambda: text("connection") == "connected")
    until("it waits for the first part", lambda: text("word") == "WAITING")

    # Upload through the page: a good and a defective part.
    defect = sorted((dataset / "test/scratch").glob("*.png"))[0]
    page.find_element(By.ID, "file").send_keys(str(good[0]))
    until("an uploaded part gets a verdict", lambda: text("word") in ("OK", "NOK"))
    first = text("what")
    page.find_element(By.ID, "file").send_keys(str(defect))
    until("the next one replaces it", lambda: text("what") != first)
    until("photograph and map are shown", lambda: all(
        page.execute_script("const i=document.getElementById(arguments[0]);return i.classList.contains('shown')&&i.naturalWidth>0", name)
        for name in ("photo", "under", "map")))
    until("the strip holds both", lambda: len(page.find_elements(By.CSS_SELECTOR, ".thumb")) == 2)

    # A file dropped into the watched folder, and one that is no image.
    shutil.copy(good[1], folder / "incoming/drop.png")
    until("a dropped file is shown", lambda: "part drop" in text("what"))
    (folder / "incoming/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    until("a broken file is NO DECISION", lambda: text("word") == "NO DECISION")
    until("with its reason", lambda: "broken.png" in text("reason"))

    # Every good part at once: scores as at calibration, no drift.
    verdicts = [post("/api/inspections", path.read_bytes(), "image/png") for path in good]
    accepted = [v for v in verdicts if v["verdict"] == "OK"]
    rejected = [v for v in verdicts if v["verdict"] == "NOK"]
    until("today's counts follow", lambda: int(text("count-ok")) >= len(accepted))

    # Review: overrule the newest part by keyboard and by button.
    newest = get("/api/inspections?limit=1")["inspections"][0]
    page.find_element(By.ID, "operator").send_keys("eva")
    page.find_element(By.ID, "review-reason").send_keys("reflection")
    page.find_element(By.ID, "say-nok").click()
    until("an overruled verdict is on record",
          lambda: get(f"/api/inspections/{newest['id']}").get("review", {}).get("verdict") == "NOK")
    until("the banner shows the operator's word", lambda: text("word") == "NOK" and "operator eva" in text("reason"))
    page.find_element(By.TAG_NAME, "body").send_keys("g")
    until("and changes with a new review", lambda: text("word") == "OK")
    page.find_element(By.TAG_NAME, "body").send_keys(Keys.ARROW_RIGHT)
    until("an earlier part is marked as such", lambda: "earlier part" in text("what"))
    page.find_element(By.TAG_NAME, "body").send_keys(Keys.HOME)
    until("and Home goes back", lambda: "earlier part" not in text("what"))
    if rejected:
        post(f"/api/inspections/{rejected[0]['id']}/reviews", b'{"verdict":"OK"}')
        until("an overruled good part is collected", lambda: len(list((folder / "good").glob("*.png"))) == 1)
    # Drift: of all images the accepted one nearest to the threshold, again and again. The images that set the
    # threshold are among them, and one of them lies on it.
    everything = sorted((dataset / "test").glob("*/*.png"))
    scores = {path: post("/api/inspections", path.read_bytes(), "image/png") for path in everything}
    worst = max(everything, key=lambda p: scores[p].get("score", 0))
    post("/api/inspections?part_id=sleeve-0815", worst.read_bytes(), "image/png")
    until("the most anomalous part is NOK", lambda: "sleeve-0815" in text("what") and text("word") == "NOK")
    time.sleep(1)  # pictures and trend
    picture("station")
    for path in sorted((dataset / "train" / "good").glob("*.png")):
        scores[path] = post("/api/inspections", path.read_bytes(), "image/png")
    image = max((p for p in scores if scores[p]["verdict"] == "OK"), key=lambda p: scores[p]["score"]).read_bytes()
    for _ in range(25):
        post("/api/inspections", image, "image/png")
    until("drift is warned of before a part fails", lambda: "Drift: scores of good parts have moved up" in text("warnings"))
    picture("station_drift")

    # The server dies and comes back.
    server.kill()
    until("a dead server is said in the banner", lambda: text("word") == "NO CONNECTION")
    picture("station_gone")
    count = len(page.find_elements(By.CSS_SELECTOR, ".thumb"))
    server.start()
    until("the page connects again by itself", lambda: text("connection") == "connected")
    until("and shows the last part from the journal", lambda: text("word") == "OK")
    until("with the whole strip", lambda: len(page.find_elements(By.CSS_SELECTOR, ".thumb")) == count)
    page.set_window_size(420, 1400)
    picture("station_narrow")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("glint")
    parser.add_argument("model")
    parser.add_argument("dataset", type=pathlib.Path)
    parser.add_argument("--pictures", type=pathlib.Path)
    parser.add_argument("--dark", action="store_true")
    arguments = parser.parse_args()
    arguments.dataset = arguments.dataset.resolve()
    options = webdriver.ChromeOptions()
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--window-size=1440,1950"):
        options.add_argument(option)
    if arguments.dark:
        options.add_argument("--force-dark-mode")
    options.binary_location = shutil.which("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        server = Server(arguments, folder)
        page = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        try:
            server.start()
            picture = lambda title: (page.save_screenshot(str(arguments.pictures / f"{title}.png"))
                                     if arguments.pictures else None)
            drive(page, server, folder, arguments.dataset, picture)
            # A connection that the test cut itself, and pictures asked for meanwhile, are the only complaints.
            odd = [entry["message"] for entry in page.get_log("browser")
                   if "ERR_CONNECTION_REFUSED" not in entry["message"]
                   and "ERR_INCOMPLETE_CHUNKED_ENCODING" not in entry["message"]
                   and "ERR_CONNECTION_RESET" not in entry["message"]
                   and "ERR_EMPTY_RESPONSE" not in entry["message"]]
            if odd:
                raise SystemExit("FAILED: the console says\n" + "\n".join(odd))
            print("page test passed")
        finally:
            page.quit()
            server.kill()
            server.log.close()
            print((folder / "serve.log").read_text(), file=sys.stderr)


main()
