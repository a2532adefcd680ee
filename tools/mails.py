#!/usr/bin/env python3
"""Renders each mail of the shop in Chromium: `tools/mails.py http://127.0.0.1:8080 FILE.png`.

The mails are the previews of a running system (`make run`): each template in English and in French, side by side. Staff sign in
as staff@example.com, or as COMPTOIR_STAFF with the password COMPTOIR_PASSWORD.
"""

import html
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

TEMPLATES = ["ORDER_CONFIRMED", "ORDER_CANCELLED", "ORDER_REFUNDED", "SHIPMENT_DISPATCHED", "SHIPMENT_DELIVERED",
             "PASSWORD_RESET", "EMAIL_VERIFICATION"]
LANGUAGES = ["en", "fr"]
WIDTH, HEIGHT = 480, 640

PAGE = """<!DOCTYPE html><meta charset="utf-8"><style>
body {{ margin: 12px; font: 13px sans-serif; display: grid; grid-template-columns: repeat({columns}, {width}px); gap: 12px }}
figure {{ margin: 0 }} figcaption {{ padding: 4px 0 }} iframe {{ border: 1px solid #ccc; width: 100%; height: {height}px }}
</style>{mails}"""

MAIL = '<figure><figcaption>{template} · {language}<br><b>{subject}</b></figcaption><iframe srcdoc="{content}"></iframe></figure>'


def call(url, token=None, form=None):
    data = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(url, data, {"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        sys.exit(f"{url}: {error.code} {error.read().decode()}")
    except urllib.error.URLError as error:
        sys.exit(f"{url}: {error.reason}; mend: make run, and wait until it says ready")


def mails(gateway):
    name, password = os.environ.get("COMPTOIR_STAFF", "staff@example.com"), os.environ.get("COMPTOIR_PASSWORD", "comptoir-demo")
    form = {"grant_type": "password", "username": name, "password": password}
    token = call(f"{gateway}/oauth2/token", form=form)["access_token"]
    for language in LANGUAGES:
        for template in TEMPLATES:
            query = urllib.parse.urlencode({"template": template, "language": language})
            mail = call(f"{gateway}/v1/emails:preview?{query}", token)
            if mail["language"] != language:
                sys.exit(f"{template} is not there in {language}")
            yield MAIL.format(template=template, language=language, subject=html.escape(mail["subject"]),
                              content=html.escape(mail["html"]))


def main():
    if len(sys.argv) != 3 or "-h" in sys.argv:
        sys.exit(__doc__.strip())
    gateway, picture = sys.argv[1].rstrip("/"), os.path.abspath(sys.argv[2])
    chromium = shutil.which("chromium") or sys.exit("chromium is missing; mend: apt-get install -y chromium")
    page = PAGE.format(columns=len(TEMPLATES), width=WIDTH, height=HEIGHT, mails="".join(mails(gateway)))
    size = (len(TEMPLATES) * (WIDTH + 12) + 12, len(LANGUAGES) * (HEIGHT + 60) + 12)
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "mails.html")
        with open(file, "w", encoding="utf-8") as sheet:
            sheet.write(page)
        subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}",
                        f"--window-size={size[0]},{size[1]}", f"--screenshot={picture}", f"file://{file}"],
                       check=True, stderr=subprocess.DEVNULL)
    print(picture)


if __name__ == "__main__":
    main()
