"""The samples of a file of metrics, by their names and labels."""

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families


def samples(text: bytes) -> dict[str, float]:
    """Return the samples of the text by name and labels."""
    return {
        sample.name + "".join(f"{{{name}={value}}}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def numbers(file: Path) -> dict[str, float]:
    """The samples, without the label that a node of a cluster has."""
    return {re.sub(r"{node=\w+}", "", name): value for name, value in samples(file.read_bytes()).items()}
