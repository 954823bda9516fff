"""Makes the parquet files of this folder, and expected.json with what is in them.

Run in this folder with pyarrow, numpy and pillow: python make.py; then npm run format.
Pages of two rows and row groups of five make small files go through everything that large ones do.
"""

import hashlib
import io
import json

import numpy
import pyarrow
import pyarrow.parquet
from PIL import Image

ROWS = 12
generator = numpy.random.default_rng(5)


def png(i):
    pixels = generator.integers(0, 256, (3 + i % 3, 4, 3), dtype=numpy.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


images = [png(i) for i in range(ROWS)]
structs = pyarrow.StructArray.from_arrays(
    [pyarrow.array(images, pyarrow.binary()), pyarrow.array([f"{i}.png" for i in range(ROWS)])], ["bytes", "path"]
)
numbers = [i * 5 % 3 for i in range(ROWS)]
words = ["newt", "emu", "yak"]
features = {"image": {"_type": "Image"}, "label": {"names": words, "_type": "ClassLabel"}}
named = {"huggingface": json.dumps({"info": {"features": features}})}
table = pyarrow.table(
    {
        "image": structs,
        "label": pyarrow.array(numbers, pyarrow.int64()),
        "bare": pyarrow.array(images, pyarrow.large_binary()),
        "word": pyarrow.array([words[n] for n in numbers]),
        "small": pyarrow.array(numbers, pyarrow.uint8()),
        "score": pyarrow.array([0.5] * ROWS),
        "tags": pyarrow.array([[n, n] for n in numbers]),
        "holes": pyarrow.array([None if i == 7 else n for i, n in enumerate(numbers)], pyarrow.int32()),
        "unknown": pyarrow.array([-1] * ROWS, pyarrow.int64()),
    }
)
FILES = {
    "none-v1": dict(compression="none", data_page_version="1.0", use_dictionary=False),
    "snappy-v1": dict(compression="snappy", data_page_version="1.0", use_dictionary=True),
    "gzip-v2": dict(compression="gzip", data_page_version="2.0", use_dictionary=True),
    "brotli-v1": dict(compression="brotli", data_page_version="1.0", use_dictionary=False),
    "zstd-v2": dict(compression="zstd", data_page_version="2.0", use_dictionary=False, write_page_index=True),
    "lz4-v1": dict(compression="lz4", data_page_version="1.0", use_dictionary=["label"]),
}
for name, options in FILES.items():
    is_main = name == "snappy-v1"
    pyarrow.parquet.write_table(
        table.replace_schema_metadata(named) if is_main else table.select(["image", "label"]),
        f"{name}.parquet",
        row_group_size=5,
        write_batch_size=2,
        data_page_size=1,
        store_schema=is_main,
        **options,
    )
missing = pyarrow.StructArray.from_arrays(
    [pyarrow.array([images[0], None, images[2][:40]], pyarrow.binary()), pyarrow.array(["a", "b", "c"])], ["bytes", "path"]
)
pyarrow.parquet.write_table(
    pyarrow.table({"image": missing, "label": pyarrow.array([0, 1, 2], pyarrow.int64())}), "damaged-images.parquet", store_schema=False
)
expected = {
    "pyarrow": pyarrow.__version__,
    "sha256": [hashlib.sha256(image).hexdigest() for image in images],
    "labels": numbers,
    "words": [words[n] for n in numbers],
}
with open("expected.json", "w") as file:
    json.dump(expected, file, indent=2)
    file.write("\n")
