import { describe, expect, test } from "vitest";
import { UsageError } from "../../data/errors.js";
import { listTargets, parseTarget } from "../../features/targets.js";

describe("target strings", () => {
  test("equal descriptors have equal names, so they share a cache", () => {
    expect(parseTarget("hog:cb4_d128").name).toBe("hog");
    expect(parseTarget("hog:ppc4_d144").name).toBe(parseTarget("hog:d144_ppc4_cb4").name);
    expect(parseTarget("hog:g16").name).toBe("hog:g16");
    expect(parseTarget("sift").name).not.toBe(parseTarget("sift:opencv").name);
    expect(parseTarget("hog:d144_ppc4").dim).toBe(144);
  });

  test("every canonical name parses to itself", () => {
    for (const target of ["sift", "sift:opencv", "hog", "hog:g8_d36_ppc8_cb2"]) {
      expect(parseTarget(target).name).toBe(target);
    }
  });

  test.each([
    ["shift", /unknown target "shift".*did you mean "sift"/],
    ["sift:opncv", /did you mean "sift:opencv"/],
    ["hog:x3", /want fields gG, dD, ppcP and cbC/],
    ["hog:pcp4", /did you mean "ppc"/],
    ["hog:d0", /1\.\.4096/],
    ["hog:d128_d64", /"d" is given twice/],
    ["hog:", /want fields/],
    ["", /unknown target ""/],
  ])("%s is refused in one line that helps", (target, message) => {
    const parse = () => parseTarget(target);
    expect(parse).toThrow(UsageError);
    expect(parse).toThrow(message);
  });

  test("the listing has every family with what it is", () => {
    const patterns = listTargets().map(({ pattern }) => pattern);
    expect(patterns).toEqual(expect.arrayContaining(["sift", "sift:opencv", "hog", "hog:gG_dD_ppcP_cbC"]));
    expect(listTargets().every(({ summary, dim }) => summary.length > 10 && dim.length > 0)).toBe(true);
  });
});
