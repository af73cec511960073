"""`deepmatte serve`: mattes over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from deepmatte.cli.options import Device, Model, parse_memory

EXAMPLE = """\b
Example:
  deepmatte serve
  curl -F image=@photo.jpg -F trimap=@trimap.png http://127.0.0.1:8765/matte -o cutout.png
  curl --data-binary @photo.jpg "http://127.0.0.1:8765/matte?box=40,30,620,900" -o cutout.png
"""


def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on; 0.0.0.0 is all.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port to listen on; 0 takes any.")
    ] = 8765,
    api_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            envvar="DEEPMATTE_API_KEY",
            help="Key that clients must send in the header X-Api-Key or as a bearer token; several "
            "keys are separated by commas. Rather set the environment variable, which other users "
            "cannot read.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Pictures matted at a time; default one per core."),
    ] = None,
    queue: Annotated[
        int, typer.Option(metavar="N", min=0, help="Requests that may wait; more get 503.")
    ] = 16,
    max_megapixels: Annotated[
        float, typer.Option(metavar="N", min=0.01, help="Largest picture, in megapixels.")
    ] = 50,
    max_upload: Annotated[
        int | None,
        typer.Option(
            metavar="64MB",
            parser=parse_memory,
            help="Largest request; default 64 MB.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.1, help="Time within which a request must arrive."),
    ] = 60,
    grace: Annotated[
        int,
        typer.Option(
            metavar="SECONDS", min=0, help="Time for running requests when the server stops."
        ),
    ] = 30,
    memory: Annotated[
        int | None,
        typer.Option(
            metavar="3GB",
            parser=parse_memory,
            help="Memory limit for all pictures matted at a time; sets the tile size.",
            show_default=False,
        ),
    ] = None,
    model: Model = "lite",
    device: Device = "cpu",
    segmenter: Annotated[
        str | None,
        typer.Option(
            metavar="people|rembg|osam|box",
            help="The segmentation model; default the best installed one.",
            show_default=False,
        ),
    ] = None,
    root_path: Annotated[
        str,
        typer.Option(
            metavar="/PATH", help="Path under which a proxy serves this; the proxy must strip it."
        ),
    ] = "",
    proxies: Annotated[
        str,
        typer.Option(
            metavar="ADDRESSES", help="Proxies whose X-Forwarded headers are trusted; * is any."
        ),
    ] = "127.0.0.1",
) -> None:
    """Serve mattes over HTTP to other programs; needs pip install 'deepmatte[serve]'.

    POST /matte takes a picture and a trimap, a mask, or a hint where its subject is, and answers
    with the cut-out. /openapi.json describes it all, /health and /metrics serve who watches it.
    SIGTERM or Ctrl-C stops it, after what is being done.
    """
    from deepmatte.errors import DataError

    try:
        from deepmatte.service.app import Limits
        from deepmatte.service.run import Settings, serve
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise DataError(
            f"This needs {package}, which is not installed: pip install 'deepmatte[serve]'."
        ) from error
    limits = Limits(
        bytes=max_upload or 64_000_000,
        pixels=round(max_megapixels * 1e6),
        places=queue,
        seconds=timeout,
    )
    keys = [key.strip() for key in (api_key or "").split(",") if key.strip()]
    serve(
        Settings(
            host=host,
            port=port,
            keys=keys,
            limits=limits,
            jobs=jobs,
            model=model,
            device=device,
            memory=memory,
            segmenter=segmenter,
            root=root_path.rstrip("/"),
            proxies=proxies,
            grace=grace,
        )
    )
