"""Unpacks what a CPU-only program needs of PyTorch's wheels: unpack.py FOLDER WHEEL [WHEEL ...]

Of PyTorch's own wheel `torch/lib` and `torch/include` become FOLDER/lib and FOLDER/include, without
CUDA's and Python's libraries; of others, versioned shared libraries go to FOLDER/lib. zipfile checks
the CRC of every file.
"""

import os
import shutil
import sys
import zipfile

LEFT_OUT = (
    "libtorch_cuda", "libc10_cuda", "libtorch_nvshmem", "libcaffe2_nvrtc", "libtorch_python",
    "libshm",
)


def place(member):
    """Where a wheel's member goes below FOLDER, or None."""
    parts = member.split("/")
    if parts[0] == "torch" and len(parts) > 2:
        if parts[1] == "include" or (parts[1] == "lib" and not parts[2].startswith(LEFT_OUT)):
            return os.path.join(*parts[1:])
    elif parts[0] != "torch" and ".so." in parts[-1]:
        return os.path.join("lib", parts[-1])
    return None


folder, *wheels = sys.argv[1:]
for name in wheels:
    with zipfile.ZipFile(name) as wheel:
        for member in wheel.infolist():
            below = place(member.filename)
            if below is None or member.is_dir():
                continue
            target = os.path.join(folder, below)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with wheel.open(member) as source, open(target, "wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
