"""REST client: JSON in and out, paging, problems in words; by http, https or unix socket.  Standard library only."""

import http.client
import json
import socket
import ssl
import urllib.parse

TIMEOUT_S = 5.0
STREAM_S = 60.0			# the daemons give a sign of life every 15 seconds
PAGE = 500


class RestError(Exception):
    """An answer that is no success; `status` 0 when there was none."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        """Opens the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Rest:
    """One daemon's REST interface.

    root: "http://ADDRESS:PORT", "https://..." or "unix:/path".  ca: file of whom we trust; cert: (certificate, key) of our own.
    """

    def __init__(self, root, token=None, ca=None, cert=None):
        self.root, self.token, self.ca, self.cert = root, token, ca, cert
        self.url = urllib.parse.urlsplit(root)

    def _context(self):
        context = ssl.create_default_context(cafile=self.ca)
        if self.cert:
            context.load_cert_chain(*self.cert)
        return context

    def connect(self, timeout=TIMEOUT_S):
        """A connection that is not open yet."""
        if self.url.scheme == "unix":
            return UnixConnection(self.url.path, timeout)
        if self.url.scheme == "https":
            return http.client.HTTPSConnection(self.url.netloc, timeout=timeout, context=self._context())
        return http.client.HTTPConnection(self.url.netloc, timeout=timeout)

    def headers(self, more=None):
        """What every request carries."""
        h = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {**h, **(more or {})}

    def unreachable(self, e):
        """What is said when nobody answers."""
        return RestError(0, f"{self.root}: {getattr(e, 'strerror', None) or e or type(e).__name__}")

    def call(self, method, path, body=None, more=None, timeout=TIMEOUT_S):
        """(status, parsed JSON or text).  Raises RestError(0, ...) when nobody answers."""
        status, _, doc = self.exchange(method, path, body, more, timeout)
        return status, doc

    def exchange(self, method, path, body=None, more=None, timeout=TIMEOUT_S):
        """(status, headers, parsed JSON or text)."""
        headers, data = self.headers(more), None
        if body is not None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        try:
            c = self.connect(timeout)
            c.request(method, path, body=data, headers=headers)
            r = c.getresponse()
            text = r.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as e:
            raise self.unreachable(e) from e
        finally:
            if "c" in locals():
                c.close()
        try:
            return r.status, r.headers, json.loads(text)
        except ValueError:
            return r.status, r.headers, text

    def get(self, path):
        """The JSON of a resource."""
        status, doc = self.call("GET", path)
        if status != 200:
            raise RestError(status, f"GET {self.root}{path}: {problem_text(status, doc)}")
        return doc

    def send(self, method, path, body=None, more=None, timeout=TIMEOUT_S):
        """POST, PUT, PATCH or DELETE; the JSON of the answer."""
        status, doc = self.call(method, path, body, more, timeout)
        if not 200 <= status < 300:
            raise RestError(status, f"{method} {self.root}{path}: {problem_text(status, doc)}")
        return doc

    def octets(self, path):
        """A resource that is no text."""
        try:
            c = self.connect()
            c.request("GET", path, headers=self.headers())
            r = c.getresponse()
            data = r.read()
        except (OSError, http.client.HTTPException) as e:
            raise self.unreachable(e) from e
        finally:
            if "c" in locals():
                c.close()
        if r.status != 200:
            raise RestError(r.status, f"GET {self.root}{path}: {problem_text(r.status, parsed(data))}")
        return data

    def stream(self, path, more=None, timeout=STREAM_S):
        """(id, event, JSON) of each server-sent event, until the daemon ends the stream; ("", "", None) for a sign of life."""
        try:
            c = self.connect(timeout)
            c.request("GET", path, headers=self.headers({"Accept": "text/event-stream", **(more or {})}))
            r = c.getresponse()
            if r.status != 200:
                raise RestError(r.status, f"GET {self.root}{path}: {problem_text(r.status, parsed(r.read()))}")
            yield from fields(r)
        except (OSError, http.client.HTTPException) as e:
            raise self.unreachable(e) from e
        finally:
            if "c" in locals():
                c.close()

    def items(self, path, **query):
        """All items of a paged list."""
        result, cursor = [], None
        while True:
            now = {"limit": PAGE, **query, **({"cursor": cursor} if cursor else {})}
            page = self.get(path + "?" + urllib.parse.urlencode(now))
            result += page["items"]
            cursor = (page.get("page") or {}).get("nextCursor")
            if not cursor:
                return result

    def ready(self):
        """(True, "") or (False, the reason)."""
        try:
            status, doc = self.call("GET", "/readyz")
        except RestError as e:
            return False, str(e)
        if status == 200:
            return True, ""
        return False, problem_text(status, doc)


def parsed(text):
    """JSON, or the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text.decode(errors="replace")


def fields(lines):
    """Events of a stream's lines (HTML Living Standard §9.2.6, what the daemons use of it)."""
    now = {}
    for line in lines:
        name, _, value = line.decode(errors="replace").rstrip("\r\n").partition(":")
        if name:
            now[name] = value.strip()
        elif now.get("data"):
            yield now.get("id", ""), now.get("event", ""), json.loads(now["data"])
            now = {}
        else:
            yield "", "", None
            now = {}


def segment(text):
    """A path segment of any text."""
    return urllib.parse.quote(text, safe="")


def problem_text(status, doc):
    """An answer in words: problem+json's detail, a reason, or the status."""
    if isinstance(doc, dict):
        for key in ("detail", "reason", "title", "cause"):
            if doc.get(key):
                return f"{doc[key]}"
    return f"status {status}"
