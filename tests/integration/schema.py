"""Answers of a daemon held against the document that it serves: /api/v1/openapi.json.  Row U7."""

import re

from cases import Fail, Skip
from core import Rest

try:
    from jsonschema import Draft202012Validator, FormatChecker
except ImportError:
    Draft202012Validator = None


class Document:
    """What one daemon serves; which operations were seen to answer well, by "METHOD path"."""

    def __init__(self, doc):
        if Draft202012Validator is None:
            raise Skip("jsonschema is not installed (package python3-jsonschema)")
        self.doc, self.seen, self.failed = doc, set(), []
        self.paths = [(re.compile("^" + re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(p)) + "$"), p) for p in doc["paths"]]

    def operations(self):
        """{"METHOD path": operation}"""
        return {f"{m.upper()} {p}": op for p, item in self.doc["paths"].items() for m, op in item.items()}

    def path_of(self, path):
        """The path of the document that this one is; the one with fewer parameters wins."""
        found = [p for fits, p in self.paths if fits.match(path.split("?")[0])]
        return min(found, key=lambda p: p.count("{")) if found else None

    def mistakes(self, schema, answer):
        """Sentences."""
        full = {**schema, "components": self.doc["components"]}
        return [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in
                Draft202012Validator(full, format_checker=FormatChecker()).iter_errors(answer)]

    def check(self, method, path, status, headers, answer):
        """Is this answer as the document says?"""
        at = self.path_of(path)
        op = self.doc["paths"].get(at, {}).get(method.lower())
        if op is None:
            return
        what = f"{method} {at}: {status}"
        kind = (headers["Content-Type"] or "").split(";")[0]
        said = op["responses"].get(str(status)) or op["responses"].get("default")
        if str(status)[0] in "23" and str(status) not in op["responses"]:
            self.failed.append(f"{what} is not in the document")
            return
        ref = said.get("$ref", "").rsplit("/", 1)[-1]
        content = (self.doc["components"]["responses"][ref] if ref else said).get("content", {})
        if content and kind not in content and "*/*" not in content:
            if at != "/readyz" and not (at == "/api/v1/config" and kind == "application/yaml"):
                self.failed.append(f"{what}: {kind}, wanted {' or '.join(content)}")
            return
        if kind.endswith("json") and kind in content:
            self.failed += [f"{what}: {m}" for m in self.mistakes(content[kind]["schema"], answer)]
        if status < 300:
            self.seen.add(f"{method} {at}")


class Checked(Rest):
    """A client whose every answer is held against the document; what differs is kept for Document.failed."""

    def __init__(self, rest, document):
        super().__init__(rest.root, rest.token, rest.ca, rest.cert)
        self.document = document

    def exchange(self, method, path, *rest, **named):
        """As Rest does."""
        status, headers, answer = super().exchange(method, path, *rest, **named)
        self.document.check(method, path, status, headers, answer)
        return status, headers, answer


def verdict(documents, least=()):
    """Fails when an answer differed, or when one of these operations was never seen: {node: Document}, [(node, operation)]."""
    wrong = [f"{n}: {m}" for n, d in documents.items() for m in dict.fromkeys(d.failed)]
    if wrong:
        raise Fail("\n   ".join([f"{len(wrong)} differences"] + wrong[:20]))
    unseen = [f"{n}: {op}" for n, op in least if op not in documents[n].seen]
    if unseen:
        raise Fail("never answered well: " + ", ".join(unseen))
