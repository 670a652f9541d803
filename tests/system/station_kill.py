#!/usr/bin/env python3
"""Kills a serving station with SIGKILL under load: every verdict that was answered must be on record.

usage: station_kill.py GLINT MODEL IMAGE...
"""
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

PORT = 8762
ROUNDS = 3


def post(image):
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/api/inspections", data=image, method="POST")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def main():
    glint, model, *images = sys.argv[1:]
    images = [pathlib.Path(name).read_bytes() for name in images]
    random.seed(5)
    with tempfile.TemporaryDirectory() as folder:
        journal = os.path.join(folder, "kill.db")
        answered = {}
        for _ in range(ROUNDS):
            server = subprocess.Popen([glint, "serve", model, "--listen", f"127.0.0.1:{PORT}", "--journal", journal],
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            server.stdout.readline()  # "serving ..."
            before = len(answered)
            stop = threading.Event()

            def work():
                while not stop.is_set():
                    try:
                        answer = post(random.choice(images))
                        answered[answer["id"]] = answer["verdict"]
                    except (urllib.error.URLError, ConnectionError, OSError, ValueError):
                        time.sleep(0.01)

            threads = [threading.Thread(target=work) for _ in range(6)]
            for thread in threads:
                thread.start()
            while len(answered) < before + 25:
                time.sleep(0.01)
            time.sleep(random.random() * 0.3)
            server.send_signal(signal.SIGKILL)
            server.wait()
            stop.set()
            for thread in threads:
                thread.join()
        verify = subprocess.run([glint, "journal", "verify", journal], capture_output=True, text=True)
        print(verify.stdout, end="")
        if verify.returncode != 0:
            raise SystemExit("FAILED: the chain does not hold after a kill")
        lines = subprocess.run([glint, "journal", "export", journal, "--format", "jsonl"], capture_output=True,
                               text=True, check=True).stdout.splitlines()
        written = {record["id"]: record["verdict"] for record in map(json.loads, lines)}
        lost = [number for number, verdict in answered.items() if written.get(number) != verdict]
        if lost:
            raise SystemExit(f"FAILED: {len(lost)} answered verdicts are not on record: {lost[:10]}")
        print(f"{len(answered)} answered verdicts in {ROUNDS} killed servers, all of {len(written)} records hold")


main()
