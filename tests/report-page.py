#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Judge a page of "pghaul report": well-formed, alone, and safe.

report-page.py FILE [TEXT...]: every TEXT must be there, as text."""
import html.parser
import re
import sys

VOID = {"meta", "br", "link", "img", "hr", "input"}
FETCHES = {"src", "href", "xlink:href", "action", "data", "poster", "srcset"}
FORBIDDEN = {"script", "iframe", "object", "embed", "link", "img", "base",
             "form", "foreignobject", "image", "use", "a"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.wrong, self.ids = [], [], set()
        self.refers, self.texts, self.n = set(), [], 0

    def handle_starttag(self, tag, attrs):
        self.n += 1
        names = [name for name, _ in attrs]
        attrs = dict(attrs)
        if len(names) != len(attrs):
            self.wrong.append(f"<{tag}> has an attribute twice")
        if tag in FORBIDDEN:
            self.wrong.append(f"<{tag}>")
        for name, value in attrs.items():
            if name in FETCHES or name.startswith("on"):
                self.wrong.append(f"<{tag} {name}>")
            if "url(" in (value or ""):
                self.wrong.append(f"<{tag} {name}=url>")
        if "id" in attrs:
            if attrs["id"] in self.ids:
                self.wrong.append(f"id {attrs['id']} twice")
            self.ids.add(attrs["id"])
        self.refers |= set(attrs.get("aria-labelledby", "").split())
        if tag == "th" and "scope" not in attrs:
            self.wrong.append("<th> without scope")
        if tag == "svg" and attrs.get("role") == "img":
            if "aria-labelledby" not in attrs:
                self.wrong.append("a chart without title")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.wrong.append(f"</{tag}> after {self.open[-3:]}")
        else:
            self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            if re.search(r"url\(|@import|expression", data):
                self.wrong.append("a style that fetches")
        else:
            self.texts.append(data)


text = open(sys.argv[1], encoding="utf-8").read()
page = Page()
page.feed(text)
page.close()
wrong = page.wrong
wrong += [f"<{tag}> is not closed" for tag in page.open]
wrong += [f"no element {i}" for i in page.refers - page.ids]
if re.search(r"https?://", text):
    wrong.append("an address")
if re.search("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f"
             "\u061c\u2028-\u202e\u2066-\u2069]", text):
    wrong.append("a character that is not seen")
shown = re.sub(r"\s+", " ", "".join(page.texts).replace("\u202f", " ")
               .replace("\u00a0", " "))
wrong += [f"no {t!r}" for t in sys.argv[2:] if t not in shown]
print("\n".join(wrong[:20]))
sys.exit(bool(wrong))
