"""A real S3-compatible server on this machine (moto), which can be told to fail."""

from __future__ import annotations

import itertools
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BUCKET = "store-tests"


class Server:
    """A running server; it looks at one request at a time, so that its conditional writes are atomic."""

    def __init__(self) -> None:
        self.failure: Callable[[int], str | None] = lambda number: None
        """Number of a request -> how it fails: "500", "reset" (the connection breaks), or not at all."""
        self.requests = itertools.count(1)
        self._one = threading.Lock()
        self._application = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.port}",
            "AWS_ACCESS_KEY_ID": "someone",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        how = self.failure(next(self.requests))
        if how == "reset":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        if how is not None:
            start("500 Internal Server Error", [("Content-Length", "0")])
            return [b""]
        with self._one:
            return self._application(environ, start)

    @property
    def client(self) -> Any:
        """boto3's, to look at what is there without ampcli."""
        return boto3.client(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id="someone",
            aws_secret_access_key="secret",
            region_name="us-east-1",
        )

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving() -> Iterator[Server]:
    """A server with an empty bucket."""
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = Server()
    try:
        server.client.create_bucket(Bucket=BUCKET)
        yield server
    finally:
        server.close()
