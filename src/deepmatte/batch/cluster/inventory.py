"""What a folder at any address holds: pictures with their partners, or shards."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deepmatte.batch import addresses
from deepmatte.batch.cluster.shards import SHARDS, Shard
from deepmatte.batch.jobs import Job, Pairing, Sources, pictures_among
from deepmatte.batch.ledger import NAME as LEDGER
from deepmatte.batch.naming import check_outputs, output_names
from deepmatte.batch.pairing import why_unpaired
from deepmatte.errors import DataError
from deepmatte.images import OPENED_SUFFIXES


@dataclass(frozen=True)
class Inventory:
    """What was found.

    Attributes:
        pairing: the pictures; none where there are shards.
        shards: the shards.
        inputs: for the name of each picture or shard, what differs if its files change.
        outputs: the addresses of all files in the output folder.
    """

    pairing: Pairing
    shards: tuple[Shard, ...]
    inputs: Mapping[str, str]
    outputs: frozenset[str]


def find(sources: Sources) -> Inventory:
    """Look through a folder at any address, and through the one that is written to.

    Pictures and trimaps are paired as `pairing.pair` does. A folder of ``.tar`` or ``.parquet``
    files holds shards instead, each with many pictures.

    Raises:
        DataError: a folder cannot be listed, two outputs would have one name, or there are both
            pictures and shards.
    """
    if len(sources.pictures) != 1:
        raise DataError(
            f"{len(sources.pictures)} folders and files were given; --engine ray takes one folder."
        )
    (folder,) = sources.pictures
    if sources.out.rstrip("/") in (folder.rstrip("/"), (sources.partners or "").rstrip("/")):
        raise DataError(
            f"{sources.out} is read by this batch; expected another folder to write to."
        )
    if _is_below(sources.out, folder):
        _check_out(sources.out, folder)
    stamps = _listing(folder, aside=(sources.out, sources.partners))
    shards = {name: stamp for name, stamp in stamps.items() if name.endswith(SHARDS)}
    pictures = pictures_among(stamps)
    if shards and pictures:
        raise DataError(f"{folder} holds pictures and shards; expected one of them in a folder.")
    if not shards:
        return _pictures(sources, pictures, stamps)
    found = tuple(
        Shard(
            name,
            addresses.joined(folder, name),
            addresses.joined(sources.out, name),
            sources.patterns,
        )
        for name in shards
    )
    return Inventory(Pairing(()), found, shards, _written(sources.out))


def _check_out(out: str, folder: str) -> None:
    """Refuse to write among pictures of the folder that is read: they would be left out."""
    ledger = addresses.joined(out, LEDGER)
    is_output = addresses.exists(ledger) if addresses.is_remote(out) else os.path.exists(ledger)
    inside = () if is_output else pictures_among(map(os.path.basename, _written(out)))
    for name in inside:
        raise DataError(
            f"{out} lies in {folder} and holds pictures ({name}); expected an empty or a new"
            " folder to write to."
        )


def _pictures(sources: Sources, pictures: Iterable[str], beside: Mapping[str, str]) -> Inventory:
    (own,) = sources.pictures
    apart = sources.partners is not None and sources.partners != own
    folder = sources.partners if apart and sources.partners else own
    partners = _listing(folder) if apart else beside
    by_stem: dict[str, list[str]] = {}
    for name in partners:
        stem, suffix = posixpath.splitext(name)
        if suffix.lower() in OPENED_SUFFIXES:
            by_stem.setdefault(stem, []).append(name)
    jobs, unpaired, inputs = [], {}, {}
    for name in pictures:
        stem = posixpath.splitext(name)[0]
        partner, inputs[name] = None, beside[name]
        if sources.partner != "subject":
            wanted = [f"{stem}.{sources.partner}", *([stem] if apart else [])]
            found = sorted(other for known in wanted for other in by_stem.get(known, ()))
            if len(found) != 1:
                unpaired[name] = why_unpaired(found, sources.partner)
                continue
            partner = addresses.joined(folder, found[0])
            inputs[name] = f"{beside[name]} {partners[found[0]]}"
        picture = addresses.joined(own, name)
        jobs.append(Job(name, picture, partner, tuple(output_names(name, sources))))
    check_outputs(jobs)
    return Inventory(Pairing(tuple(jobs), unpaired), (), inputs, _written(sources.out))


def _listing(folder: str, aside: Iterable[str | None] = ()) -> dict[str, str]:
    """The files of a folder, without other folders in it and outputs of earlier batches."""
    inside = [_below(other, folder) for other in aside if other and _is_below(other, folder)]
    return {
        name: stamp
        for name, stamp in addresses.listing(folder, mark=LEDGER).items()
        if not any(_is_below(name, other) for other in inside)
    }


def _written(folder: str) -> frozenset[str]:
    try:
        names = addresses.listing(folder)
    except DataError:  # it is made with the first output
        names = {}
    return frozenset(addresses.joined(folder, name) for name in names)


def _is_below(address: str, folder: str) -> bool:
    return address.startswith(f"{folder.rstrip('/')}/")


def _below(address: str, folder: str) -> str:
    return address[len(folder.rstrip("/")) :].lstrip("/")
