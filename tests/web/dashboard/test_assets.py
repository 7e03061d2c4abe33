"""Static files of the dashboard."""

import gzip
import re

import pytest

from tests.support.visitor import Visitor

pytestmark = pytest.mark.sqlite


def test_assets_are_compressed_and_kept_for_good(ana: Visitor) -> None:
    addresses = set(re.findall(r'(?:src|href)="(/assets/[^"]+)"', ana.get("/").text))
    assert len(addresses) >= 7
    for address in addresses:
        plain, compressed = (
            ana.client.get(address, headers={"Accept-Encoding": encoding}) for encoding in ("identity", "gzip")
        )
        assert "Content-Encoding" not in plain.headers
        assert compressed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(compressed.data) == plain.data
        assert compressed.headers["Vary"] == "Accept-Encoding"
        assert compressed.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_asset_of_another_release_is_not_kept(ana: Visitor) -> None:
    assert ana.client.get("/assets/dashboard.css?v=0").headers["Cache-Control"] == "no-cache"
    assert ana.client.get("/assets/dashboard.txt").headers["Cache-Control"] == "no-store"
