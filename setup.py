"""The compiled build: `CHAT_COMPILE=1 pip install .` compiles the modules that pyproject.toml names, with mypyc.

Without that variable, for a source distribution and for an editable install, nothing here does anything, and no
compiler is needed. mypyc checks the types of what it compiles, so it needs what those modules import.
"""

import os
import shutil
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

from setuptools import setup

PROJECT = tomllib.loads(Path("pyproject.toml").read_text())
COMPILED = PROJECT["tool"]["chat-server"]["compiled"]
# mypyc is pinned: what it makes of a source differs from version to version.
COMPILER = ["mypy[mypyc]==2.4.1", "types-regex", *PROJECT["project"]["dependencies"]]


def check_compiler() -> None:
    """End with one line where the machine has no C compiler, or not the headers of Python."""
    cc = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    missing = []
    if shutil.which(cc) is None:
        missing.append(f"a C compiler ({cc})")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        missing.append("the headers of Python (Python.h)")
    if missing:
        sys.exit(
            f"CHAT_COMPILE=1 needs {' and '.join(missing)}; on Debian: apt-get install gcc python3-dev."
            " Without CHAT_COMPILE the same programs are installed as pure Python."
        )


def extensions() -> list[Any]:
    from mypyc.build import mypycify

    paths = [name.replace(".", "/") for name in COMPILED]
    files = [f"{path}.py" if Path(f"{path}.py").exists() else f"{path}/__init__.py" for path in paths]
    arguments = ["--no-warn-unused-configs", *files]
    return list(mypycify(arguments, group_name="chat", multi_file=True, opt_level="2", debug_level="0"))


wanted = os.environ.get("CHAT_COMPILE", "") not in ("", "0")
if wanted:
    check_compiler()
# pip asks what a wheel requires before it has it built: then this is run for `egg_info`.
builds = wanted and "bdist_wheel" in sys.argv
setup(
    setup_requires=COMPILER if wanted and not builds else [],
    ext_modules=extensions() if builds else [],
)
