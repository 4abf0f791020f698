"""A report as one HTML file that needs nothing else: text, tables and pictures inside it."""

import base64
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import jinja2
import numpy as np

from robodistill.capture.write import write_whole


@dataclass(frozen=True)
class Section:
    """A heading with text, a table and rows of pictures."""

    title: str
    text: str = ""
    table: list[list[str]] = field(default_factory=list)
    """Rows of cells; the first is the heading."""
    pictures: list[list[tuple[str, np.ndarray]]] = field(default_factory=list)
    """Rows of (caption, RGB uint8 picture)."""
    films: list[tuple[str, str]] = field(default_factory=list)
    """(Caption, name of an MP4 beside the page)."""


_PAGE = jinja2.Template(
    """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ title }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222 }
table { border-collapse: collapse } td, th { border: 1px solid #ccc; padding: .2rem .6rem; text-align: left }
.row { display: flex; flex-wrap: wrap; gap: .5rem; margin: .5rem 0 } figure { margin: 0 }
img { display: block; width: 17rem; image-rendering: auto }
video { display: block; width: 34rem; max-width: 100% } figcaption { font-size: .8rem; color: #555 }
</style>
<h1>{{ title }}</h1>
{% for s in sections %}
<h2>{{ s.title }}</h2>
{% if s.text %}<p>{{ s.text }}</p>{% endif %}
{% if s.table %}<table>
<tr>{% for cell in s.table[0] %}<th>{{ cell }}</th>{% endfor %}</tr>
{% for row in s.table[1:] %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>{% endif %}
{% if s.films %}<div class="row">{% for caption, film in s.films %}
<figure><video controls loop muted preload="metadata" src="{{ film }}"></video><figcaption>{{ caption }}</figcaption>
</figure>{% endfor %}</div>{% endif %}
{% for row in s.pictures %}<div class="row">{% for caption, picture in row %}
<figure><img alt="{{ caption }}" src="{{ png(picture) }}"><figcaption>{{ caption }}</figcaption></figure>
{% endfor %}</div>{% endfor %}
{% endfor %}
</html>
""",
    autoescape=True,
)


def write_page(path: Path, title: str, sections: list[Section]) -> Path:
    """Write the page; it appears when it is whole."""
    write_whole(Path(path), _PAGE.render(title=title, sections=sections, png=_data_address).encode())
    return Path(path)


def _data_address(picture: np.ndarray) -> str:
    ok, data = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
    assert ok and picture.dtype == np.uint8, (picture.shape, picture.dtype)
    return "data:image/png;base64," + base64.b64encode(data.tobytes()).decode()
