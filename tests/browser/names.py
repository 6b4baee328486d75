"""Hostile names and contents for the HTML report, and what a browser made of them.

Usage: names.py tree FOLDER | page FILE | check CARELESS.dom REPORT.dom
"""

import html.parser
import json
import pathlib
import sys

# What runs as script, wherever it gets out of text, sets the title.
RUN = "document.title='obeyed'"
NAMES = [
    f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f"<script>{RUN}<!script>",
    f'" onmouseover="{RUN}" x="',
    f"' onfocus='{RUN}' autofocus='",
    f"<details open ontoggle={RUN}>",
    f"<style onload={RUN}>*{{}}",
    f"<iframe srcdoc='<img src=x onerror=parent.{RUN}>'>",
    f"<a href=javascript:{RUN}>a<!a>",
    "<base href=h.invalid>",
    "<!--",
    "]]>",
    "<plaintext>",
    "<textarea>",
    "{{constructor.constructor(1)()}}",
    "\u202egnp.lkp",
    "&lt;b&gt;",
]
# Elements that the report never has.
FORBIDDEN = {"img", "iframe", "base", "object", "embed", "link", "form", "plaintext", "textarea", "foreignobject"}


def pickle(text: str) -> bytes:
    data = text.encode()
    return b"\x80\x02cos\nsystem\nX" + len(data).to_bytes(4, "little") + data + b"\x85R."


def overlap(text: str) -> bytes:
    def tensor(begin):
        return {"dtype": "U8", "shape": [4], "data_offsets": [begin, begin + 4]}

    header = json.dumps({"__metadata__": {"a": text}, "a": tensor(0), "b": tensor(2)}, ensure_ascii=False).encode()
    return len(header).to_bytes(8, "little") + header + bytes(6)


class Page(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.title = ""
        self.text = ""
        self.inside = ""
        self.scripts = 0
        self.excerpts = {"program": 0, "source": 0, "bytes": 0}

    def handle_starttag(self, tag, attrs):
        self.inside = tag
        self.scripts += tag == "script"
        if tag in FORBIDDEN:
            self.wrong.append(f"an element <{tag}>")
        if tag == "figure":
            self.excerpts[dict(attrs)["class"].split()[-1]] += 1
        for name, value in attrs:
            if name.startswith("on"):
                self.wrong.append(f"an attribute {name}")
            if (value or "").strip().lower().startswith("javascript:"):
                self.wrong.append(f"an address {value}")

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        # The page's own title; shapes of the picture have titles too.
        if self.inside == "title" and not self.text.strip():
            self.title = data
        self.text += data


def read(path: str) -> Page:
    page = Page()
    page.feed(pathlib.Path(path).read_text(encoding="utf-8", errors="replace"))
    return page


def check(careless: str, report: str) -> int:
    page = read(careless)
    if "obeyed" not in page.title or not page.wrong:
        print("the page that obeys its names was not seen to: the check is of no use", file=sys.stderr)
        return 1
    page = read(report)
    wrong = list(page.wrong)
    if "obeyed" in page.title:
        wrong.append("a script of a name ran")
    if page.scripts > 1:
        wrong.append(f"{page.scripts} scripts")
    for view, count in page.excerpts.items():
        if count < len(NAMES):
            wrong.append(f"only {count} excerpts show {view}")
    for name in NAMES:
        if name.isascii() and name not in page.text:
            wrong.append(f"the name {name!r} is not shown as it is")
    if "\u202e" in page.text:
        wrong.append("a character that turns the text around")
    print("\n".join(wrong) or f"{len(NAMES)} hostile names are text in a browser, and nothing else")
    return 1 if wrong else 0


def main() -> int:
    what, path = sys.argv[1], sys.argv[2]
    if what == "tree":
        folder = pathlib.Path(path)
        folder.mkdir(parents=True)
        for at, name in enumerate(NAMES):
            (folder / f"{at:02} {name.replace('/', '!')}").write_bytes(pickle(name))
            # The same in a program, and in the header of tensors that overlap.
            program = f"import os\n# {name}\nos.system(\"\"\"id {name} | sh\"\"\")\n"
            (folder / f"modeling_{at:02}.py").write_text(program, encoding="utf-8")
            (folder / f"overlap-{at:02}.safetensors").write_bytes(overlap(name))
    elif what == "page":
        rows = "".join(f"<p title='{name}'>{name}</p>" for name in NAMES)
        pathlib.Path(path).write_text(f"<!doctype html><title>names</title>{rows}", encoding="utf-8")
    else:
        return check(path, sys.argv[3])
    return 0


if __name__ == "__main__":
    sys.exit(main())
