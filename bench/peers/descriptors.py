"""Dense descriptors of other libraries, as peers for `descry bench features`: one image at a time, as their users call them.

Arguments: what to compute, how many 256×256 images a turn, how many threads. Protocol: prints "ready" and the version, then for
every line on standard input describes the images and prints the milliseconds; at the end its peak resident size.
"""

import ctypes
import ctypes.util
import resource
import sys
import time

import numpy as np

SIZE, GRID = 256, 16


def opencv_sift(threads):
    import cv2

    cv2.setNumThreads(threads)
    sift = cv2.SIFT_create()
    centres = [(SIZE // GRID) * (i + 0.5) for i in range(GRID)]
    points = [cv2.KeyPoint(float(x), float(y), SIZE / GRID, 0.0) for y in centres for x in centres]
    return cv2.__version__, lambda image: sift.compute(image, points)[1]


def vlfeat():
    """Debian's libvlfeat1, or any other build of VLFeat's C library."""
    path = ctypes.util.find_library("vl")
    if path is None:
        sys.exit("ImportError: VLFeat's C library, libvl, is not installed")
    library = ctypes.CDLL(path)
    library.vl_get_version_string.restype = ctypes.c_char_p
    return library, library.vl_get_version_string().decode()


def luma(image):
    return np.ascontiguousarray(image @ np.array([0.299, 0.587, 0.114], np.float32) / 255, np.float32)


def vlfeat_sift():
    """Flat windows, every 16 pixels, bins of 8 pixels."""
    library, version = vlfeat()
    library.vl_dsift_new_basic.restype = ctypes.c_void_p
    sift = ctypes.c_void_p(library.vl_dsift_new_basic(SIZE, SIZE, SIZE // GRID, SIZE // GRID // 2))
    # VlDsiftFilter.useFlatWindow, after thirteen numbers: its setter is an inline function.
    ctypes.c_int.from_address(sift.value + 13 * 4).value = 1
    library._vl_dsift_update_buffers(sift)

    def describe(image):
        gray = luma(image)
        library.vl_dsift_process(sift, gray.ctypes.data_as(ctypes.c_void_p))

    return version, describe


def vlfeat_hog(orientations, cell):
    library, version = vlfeat()
    library.vl_hog_new.restype = ctypes.c_void_p
    size = ctypes.c_uint64
    hog = ctypes.c_void_p(library.vl_hog_new(0, size(orientations), 0))  # Dalal and Triggs
    features = np.empty(((SIZE // cell) ** 2, 4 * orientations), np.float32)

    def describe(image):
        gray = luma(image)
        pointer = gray.ctypes.data_as(ctypes.c_void_p)
        library.vl_hog_put_image(hog, pointer, size(SIZE), size(SIZE), size(1), size(cell))
        library.vl_hog_extract(hog, features.ctypes.data_as(ctypes.c_void_p))
        return features

    return version, describe


def skimage_hog(orientations, cell, block):
    import skimage
    from skimage.feature import hog

    def describe(image):
        gray = (image @ np.array([0.2126, 0.7152, 0.0722], np.float32) / 255).astype(np.float32)
        blocks = hog(
            gray,
            orientations=orientations,
            pixels_per_cell=(cell, cell),
            cells_per_block=(block, block),
            feature_vector=False,
        )
        return blocks.reshape(*blocks.shape[:2], -1)

    return skimage.__version__, describe


def kornia_oriented(threads):
    import kornia
    import torch
    from kornia.feature import LAFOrienter, SIFTDescriptor, extract_patches_from_pyramid, laf_from_center_scale_ori

    torch.set_num_threads(threads)
    step = SIZE / GRID
    centres = (torch.arange(GRID) + 0.5) * step
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    xy = torch.stack([x, y], -1).reshape(1, -1, 2)
    frames = laf_from_center_scale_ori(xy, torch.full((1, GRID * GRID, 1, 1), step), torch.zeros(1, GRID * GRID, 1))
    orient, describe = LAFOrienter(20), SIFTDescriptor(41, 8, 4, rootsift=False)

    def run(image):
        gray = kornia.color.rgb_to_grayscale(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255)
        with torch.no_grad():
            patches = extract_patches_from_pyramid(gray, orient(frames, gray), 41)
            return describe(patches.flatten(0, 1))

    return kornia.__version__, run


def main():
    call, count, threads = sys.argv[1].split(), int(sys.argv[2]), int(sys.argv[3])
    name, numbers = call[0], [int(value) for value in call[1:]]
    if name == "opencv-sift":
        version, describe = opencv_sift(threads)
    elif name == "vlfeat-sift":
        version, describe = vlfeat_sift()
    elif name == "vlfeat-hog":
        version, describe = vlfeat_hog(*numbers)
    elif name == "skimage-hog":
        version, describe = skimage_hog(*numbers)
    elif name == "kornia-oriented":
        version, describe = kornia_oriented(threads)
    else:
        sys.exit(f"unknown peer {name}")
    images = np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
    describe(images[0])
    print("ready", version, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        for image in images:
            describe(image)
        print((time.perf_counter() - start) * 1000, flush=True)
    print("peak_kb", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)


main()
