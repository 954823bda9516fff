"""Dense SIFT of VLFeat's C library for a picture that is a formula: python test/features/vlfeat-numbers.py > test/features/vlfeat-numbers.json

With Debian's libvlfeat1. Frames of four bins of 8 pixels around the centres of the inner cells, on a grid of 4 x 4 cells of 16 pixels.
"""

import ctypes
import ctypes.util
import json

import numpy as np

SIZE = 64
library = ctypes.CDLL(ctypes.util.find_library("vl"))
library.vl_dsift_new_basic.restype = ctypes.c_void_p
library.vl_get_version_string.restype = ctypes.c_char_p

y, x = np.mgrid[0:SIZE, 0:SIZE].astype(float)
picture = np.floor(128 + 70 * np.sin(x / 5 + y / 9) + 50 * np.cos(x * y / 150))
gray = np.ascontiguousarray(picture / 255, np.float32)


def descriptors(flat):
    sift = library.vl_dsift_new_basic(SIZE, SIZE, 16, 8)
    # VlDsiftFilter: bounds, and whether the window is flat; the first bin's centre of the first frame is at (12, 12).
    for field, value in ((4, 12), (5, 12), (6, SIZE - 1), (7, SIZE - 1), (13, flat)):
        ctypes.c_int.from_address(sift + 4 * field).value = value
    library._vl_dsift_update_buffers(ctypes.c_void_p(sift))
    library.vl_dsift_process(ctypes.c_void_p(sift), gray.ctypes.data_as(ctypes.c_void_p))
    count = ctypes.c_int.from_address(sift + 64).value
    data = ctypes.c_void_p.from_address(sift + 80).value
    values = np.ctypeslib.as_array((ctypes.c_float * (128 * count)).from_address(data))
    return [round(float(value), 4) for value in values]


version = library.vl_get_version_string().decode()
print(json.dumps({"version": version, "gaussian": descriptors(0), "flat": descriptors(1)}))
