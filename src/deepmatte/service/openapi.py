"""The OpenAPI document of the server."""

from __future__ import annotations

from typing import Any, get_args

from deepmatte.images import Depth
from deepmatte.service.orders import SIZES, Format, Output, Quality
from deepmatte.service.work import MEDIA_TYPES
from deepmatte.version import __version__

_SIDE = r"(-?[0-9]{1,9}(px)?|[0-9]{1,3}(\.[0-9]{1,3})?%)"
_BOX = rf"^\s*{_SIDE}((\s*,\s*|\s+){_SIDE}){{3}}\s*$"
_POINT = r"^\s*-?[0-9]{1,9}\s*,\s*-?[0-9]{1,9}\s*$"
_FILE = {"type": "string", "format": "binary"}

_TEXTS: dict[str, dict[str, Any]] = {
    "output": {
        "enum": list(get_args(Output)),
        "description": "What is wanted: cutout, or composite where there is a background, if left"
        " out. remove.bg's name is channels (rgba, alpha).",
    },
    "format": {
        "enum": list(get_args(Format)),
        "description": "Of the answer, png if left out; zip holds color.jpg and alpha.png.",
    },
    "depth": {
        "enum": [str(depth) for depth in get_args(Depth)],
        "description": "Bits of each colour; as the picture if left out, half for exr. png holds 8"
        " and 16, tif also float, exr half and float.",
    },
    "straight": {
        "enum": ["true", "false"],
        "description": "Do not multiply the colours of an exr by alpha.",
    },
    "crop": {
        "type": "string",
        "description": "A margin around the subject to crop to: pixels (20) or a share of its size"
        " (5%); or true, with the margin in crop_margin.",
    },
    "crop_margin": {
        "type": "string",
        "description": "remove.bg's name for the margin: 20px or 5%; at most 500px or 50%.",
    },
    "resize": {
        "type": "string",
        "pattern": "^[1-9][0-9]{0,5}$",
        "description": "Pixels of the longer side; nothing is enlarged.",
    },
    "shadow": {
        "type": "string",
        "description": "The opacity of a soft shadow below the subject (0.4, 40%), or true."
        " remove.bg's name is add_shadow.",
    },
    "quality": {
        "enum": list(get_args(Quality)),
        "description": "high takes several times as long.",
    },
    "subject": {
        "enum": ["true", "false"],
        "description": "Find the subject; needs a segmenter on the server, or a box.",
    },
    "point": {
        "type": "array",
        "items": {"type": "string", "pattern": _POINT},
        "description": "x,y on the subject that is to be found; may be repeated.",
    },
    "box": {
        "type": "string",
        "pattern": _BOX,
        "description": "left,top,right,bottom around the subject that is to be found: pixels, or"
        " shares of the picture (5%)."
        " remove.bg's name is roi.",
    },
    "size": {
        "enum": list(SIZES),
        "description": "remove.bg's limit of the answer's pixels: preview, small and regular are"
        " 0.25 megapixels, medium 1.5, hd 4, 4k 10, 50MP 50; auto and full have all.",
    },
    "background": {
        "type": "string",
        "description": "A colour (white, #00b140) or two (white:#888) to put the subject on."
        " remove.bg's name is bg_color.",
    },
    "resize_trimap": {
        "enum": ["true", "false"],
        "description": "Fit a trimap or mask of another size to the picture.",
    },
}
_FILES = {
    "image": {**_FILE, "description": "The picture. remove.bg's name is image_file."},
    "trimap": {
        **_FILE,
        "description": "Black is background, white is subject, anything between is unknown.",
    },
    "mask": {**_FILE, "description": "A segmenter's mask, instead of a trimap."},
}


def document(root: str, *, keyed: bool) -> dict[str, Any]:
    """The document.

    Args:
        root: the path under which a proxy serves this.
        keyed: whether an API key is asked for.
    """
    security: list[dict[str, list[str]]] = [{"key": []}, {"bearer": []}] if keyed else []
    described: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "deepmatte",
            "version": __version__,
            "description": "A picture in, its subject cut out.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": root or "/"}],
        "security": security,
        "paths": {
            "/matte": {"post": _matte("Matte a picture", keyed)},
            "/v1.0/removebg": {
                "post": _matte("The same under remove.bg's address; finds the subject", keyed)
            },
            "/health": {
                "get": {
                    "summary": "Says that the server answers",
                    "security": [],
                    "responses": {"200": _json("It does.", {"type": "object"})},
                }
            },
            "/metrics": {
                "get": {
                    "summary": "Numbers for Prometheus",
                    "responses": _keyed({"200": _text("They follow.")}, keyed),
                }
            },
            "/openapi.json": {
                "get": {
                    "summary": "This document",
                    "responses": _keyed({"200": _json("It follows.", {"type": "object"})}, keyed),
                }
            },
        },
    }
    if keyed:
        described["components"] = {
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            }
        }
    return described


def _matte(summary: str, keyed: bool) -> dict[str, Any]:
    fields = {name: _as_field(schema) for name, schema in _TEXTS.items()}
    errors = {
        "400": "The body is malformed.",
        "408": "The request did not arrive in time.",
        "413": "The request or the picture is too large.",
        "422": "A file or a field is wrong, or there is no subject.",
        "503": "The server is busy; Retry-After says when to ask again.",
        "507": "There is not enough memory for this picture.",
    }
    answers = {status: _json(said, _ERROR) for status, said in errors.items()}
    answers["200"] = {
        "description": "The file that was asked for.",
        "headers": {
            "X-Width": {"schema": {"type": "integer"}},
            "X-Height": {"schema": {"type": "integer"}},
            "X-Notes": {"description": "Sentences, in JSON.", "schema": {"type": "string"}},
        },
        "content": {kind: {} for kind in MEDIA_TYPES.values()},
    }
    body = {"type": "object", "properties": {**_FILES, **fields}, "required": ["image"]}
    return {
        "summary": summary,
        "parameters": [
            {"name": name, "in": "query", "schema": _as_field(schema)}
            for name, schema in _TEXTS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": body},
                "application/octet-stream": {"schema": _FILE},
            },
        },
        "responses": _keyed(answers, keyed),
    }


_ERROR = {
    "type": "object",
    "required": ["errors"],
    "properties": {
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["title"],
                "properties": {"title": {"type": "string"}},
            },
        }
    },
}


def _as_field(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "string", **schema}


def _keyed(answers: dict[str, Any], keyed: bool) -> dict[str, Any]:
    refused = _json("The API key is missing or wrong.", _ERROR)
    return {**answers, "401": refused} if keyed else answers


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _text(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}
