"""Serves the files of a folder by ranges: `python http_server.py FOLDER`; prints its port.

A process of its own, for GDAL holds Python's lock while it opens a raster. While the file `failing` of the folder holds
a number above 0, that many answers are 503.
"""

import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path(sys.argv[1])
FAILING = FOLDER / "failing"


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    def do_GET(self) -> None:
        self.answer(body=True)

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def answer(self, *, body: bool) -> None:
        path = FOLDER / self.path.lstrip("/")
        left = int(FAILING.read_text()) if FAILING.exists() else 0
        if left > 0:
            FAILING.write_text(str(left - 1))
            self.send_error(503)
            return
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        asked = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        first, last = 0, len(content) - 1
        if asked:
            first, last = int(asked[1]), min(int(asked[2] or last), last)
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        if body:
            self.wfile.write(content[first : last + 1])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
