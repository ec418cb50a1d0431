"""What EKS and its controllers would do for a platform, on an API server without a node."""

import json
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lab.api import Api
from tests.engine.charts import Document

_API_SERVER: Final[Document] = {
    "apiVersion": "operator.tigera.io/v1",
    "kind": "APIServer",
    "metadata": {"name": "default"},
}
_CREDENTIALS: Final = """#!{python}
import json, sys
assert {{"eks", "get-token"}} <= set(sys.argv), sys.argv
print(json.dumps({credential}))
"""


def log_in(folder: Path, pki: Path) -> None:
    """An `aws` that answers `eks get-token` with the API server's administrator."""
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "kind": "ExecCredential",
        "spec": {},
        "status": {
            "clientCertificateData": (pki / "admin.crt").read_text(),
            "clientKeyData": (pki / "admin.key").read_text(),
        },
    }
    folder.mkdir()
    program = folder / "aws"
    program.write_text(_CREDENTIALS.format(python=sys.executable, credential=json.dumps(credential)))
    program.chmod(0o755)


@dataclass(slots=True)
class Operator:
    """Tigera's operator as far as an `up` can tell: its API is served a while after it is asked for, and says so last.

    `served` is set as soon as it is.
    """

    api: Api
    definitions: Sequence[Document]
    delay: float  # seconds between being asked and serving
    served: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def at_work(self) -> Iterator["Operator"]:
        thread = threading.Thread(target=self._serve)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()
            self.api.close()

    def _serve(self) -> None:
        while not self._asked():
            if self._over.wait(0.5):
                return
        if self._over.wait(self.delay):
            return
        for definition in self.definitions:
            self.api.apply(definition)
        self.api.wait_established(self.definitions)
        self.served.set()
        self.api.status(_API_SERVER, {"state": "Ready"})

    def _asked(self) -> Any:
        return self.api.serves(_API_SERVER) and self.api.get(_API_SERVER)
