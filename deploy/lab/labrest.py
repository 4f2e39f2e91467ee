"""REST client of the lab: JSON in and out, paging, problems in words."""

import http.client
import json
import urllib.parse

TIMEOUT_S = 5.0
PAGE = 500


class RestError(Exception):
    """An answer that is no success; `status` 0 when there was none."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Rest:
    """One daemon's REST interface."""

    def __init__(self, root, token=None):
        self.root, self.token = root, token
        self.host = urllib.parse.urlsplit(root).netloc

    def call(self, method, path, body=None):
        """(status, parsed JSON or text).  Raises RestError(0, ...) when nobody answers."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        c = http.client.HTTPConnection(self.host, timeout=TIMEOUT_S)
        try:
            c.request(method, path, body=data, headers=headers)
            r = c.getresponse()
            text = r.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as e:
            raise RestError(0, f"{self.root}: {getattr(e, 'strerror', None) or e or type(e).__name__}") from e
        finally:
            c.close()
        try:
            return r.status, json.loads(text)
        except ValueError:
            return r.status, text

    def get(self, path):
        """The JSON of a resource."""
        status, doc = self.call("GET", path)
        if status != 200:
            raise RestError(status, f"GET {self.root}{path}: {problem_text(status, doc)}")
        return doc

    def send(self, method, path, body=None):
        """POST, PUT or DELETE; the JSON of the answer."""
        status, doc = self.call(method, path, body)
        if not 200 <= status < 300:
            raise RestError(status, f"{method} {self.root}{path}: {problem_text(status, doc)}")
        return doc

    def items(self, path):
        """All items of a paged list."""
        result, cursor = [], None
        while True:
            query = {"limit": PAGE}
            if cursor:
                query["cursor"] = cursor
            page = self.get(path + "?" + urllib.parse.urlencode(query))
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


def problem_text(status, doc):
    """An answer in words: problem+json's detail, a reason, or the status."""
    if isinstance(doc, dict):
        for key in ("detail", "reason", "title", "cause"):
            if doc.get(key):
                return f"{doc[key]}"
    return f"status {status}"
