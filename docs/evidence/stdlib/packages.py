"""Gathers documented Python code to learn from: the standard library of this interpreter and packages
under permissive licences, from PyPI, sources alone.

    python3 docs/evidence/stdlib/packages.py runs/packages
"""

import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile

# Version and licence of each.
PACKAGES = {
    "networkx": "3.4.2",  # BSD-3-Clause
    "sympy": "1.13.3",  # BSD-3-Clause
    "scipy": "1.14.1",  # BSD-3-Clause
    "scikit-learn": "1.5.2",  # BSD-3-Clause
    "pandas": "2.2.3",  # BSD-3-Clause
    "numpy": "2.1.3",  # BSD-3-Clause
    "astropy": "6.1.7",  # BSD-3-Clause
    "Django": "5.1.4",  # BSD-3-Clause
    "statsmodels": "0.14.4",  # BSD-3-Clause
    "nltk": "3.9.1",  # Apache-2.0
    "scikit-image": "0.24.0",  # BSD-3-Clause
    "bokeh": "3.6.2",  # BSD-3-Clause
}


def is_source(name: str) -> bool:
    parts = pathlib.PurePosixPath(name).parts
    return name.endswith(".py") and not {"tests", "test", "testing"} & set(parts)


def main() -> None:
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for package, version in PACKAGES.items():
        folder = target / package
        if folder.exists():
            continue
        with tempfile.TemporaryDirectory() as wheels:
            subprocess.run(
                [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
                + ["--python-version", "3.11", "--dest", wheels, f"{package}=={version}"],
                check=True,
            )
            (wheel,) = pathlib.Path(wheels).glob("*.whl")
            fresh = target / f".{package}"
            shutil.rmtree(fresh, ignore_errors=True)
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(fresh, filter(is_source, archive.namelist()))
            fresh.rename(folder)
            print(f"{package} {version}: {sum(1 for _ in folder.rglob('*.py'))} files")
    standard = pathlib.Path(sysconfig.get_path("stdlib"))
    folder = target / "stdlib"
    if not folder.exists():
        skipped = ("test", "tests", "site-packages", "lib2to3", "idlelib", "__pycache__")
        shutil.copytree(standard, folder, ignore=lambda at, names: [
            name for name in names
            if name in skipped or not (name.endswith(".py") or (pathlib.Path(at) / name).is_dir())
        ])
        print(f"standard library: {sum(1 for _ in folder.rglob('*.py'))} files")


main()
