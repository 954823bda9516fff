/**
 * @file Examines the machine for `descry doctor`. Every finding is a sentence; nothing is claimed that was not tried.
 */
import { execFile } from "node:child_process";
import { statfs } from "node:fs/promises";
import { promisify } from "node:util";
import { builtFile } from "../../data/built-file.js";
import { surveyEncoders } from "../../features/encoders/survey-encoders.js";
import type { Device } from "../compile/compile.js";
import { whyNotDirect } from "../compile/direct-session.js";
import { machineFacts, readVersions } from "../run/machine.js";

/** One thing that was looked at. */
export interface Finding {
  readonly what: string;
  /** `ok`: there and working. `note`: absent and not needed. `problem`: descry cannot work well until it is mended. */
  readonly state: "ok" | "note" | "problem";
  readonly says: string;
}

const OLDEST_NODE = [20, 9] as const;
const GIGABYTE = 1e9;
const LEAST_MEMORY_GB = 2;
const LEAST_DISK_GB = 2;
/** Picture formats that the data readers accept. */
const PICTURE_FORMATS = ["jpeg", "png", "webp"] as const;

/**
 * Look at everything.
 *
 * @param cwd folder whose disk is measured: runs and caches are written there.
 */
export async function examine(cwd: string): Promise<Finding[]> {
  return [
    node(),
    machine(),
    memory(),
    await disk(cwd),
    libraries(),
    await directCalls(),
    ...(await devices()),
    await pictures(),
    encoders(),
    python(),
  ];
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const fits = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  const wanted = `wanted ${OLDEST_NODE.join(".")} or newer`;
  return { what: "Node.js", state: fits ? "ok" : "problem", says: `${process.versions.node} (${wanted})` };
}

function machine(): Finding {
  const { cpu: name, cores, os } = machineFacts();
  return { what: "machine", state: "ok", says: `${name}, ${cores} core${cores === 1 ? "" : "s"}, ${os}` };
}

function memory(): Finding {
  const gigabytes = machineFacts().memoryBytes / GIGABYTE;
  const fits = gigabytes >= LEAST_MEMORY_GB;
  const says = `${gigabytes.toFixed(1)} GB${fits ? "" : `: photos-classical needs about ${LEAST_MEMORY_GB} GB`}`;
  return { what: "memory", state: fits ? "ok" : "problem", says };
}

async function disk(cwd: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(cwd);
  const free = (bavail * bsize) / GIGABYTE;
  const fits = free >= LEAST_DISK_GB;
  const says = `${free.toFixed(1)} GB free for runs/ and .descry/cache${fits ? "" : `: wanted ${LEAST_DISK_GB} GB`}`;
  return { what: "disk", state: fits ? "ok" : "problem", says };
}

function libraries(): Finding {
  const versions = Object.entries(readVersions()).filter(([name]) => name !== "node");
  return { what: "libraries", state: "ok", says: versions.map(([name, version]) => `${name} ${version}`).join(", ") };
}

async function directCalls(): Promise<Finding> {
  const why = await whyNotDirect();
  const what = "training on cpu";
  if (why === undefined) return { what, state: "ok", says: "ONNX Runtime is called directly, results are not copied" };
  return { what, state: "note", says: `through ONNX Runtime's Node binding, which copies all results: ${why}` };
}

/** What a device needs that a fresh install does not bring; the cpu needs nothing. */
const OPTIONAL: Partial<Record<Device, string>> = {
  webgpu: "a graphics card and, on Linux, its Vulkan driver and libvulkan1",
  cuda: "an NVIDIA card, Linux x64, CUDA 12, cuDNN 9, and: ONNXRUNTIME_NODE_INSTALL=true npm rebuild onnxruntime-node",
  "tfjs-gpu": "CUDA, and: npm install @tensorflow/tfjs-node-gpu",
};

/** Let a process of its own try a device. */
async function tryDevice(device: Device): Promise<Finding> {
  const what = `device ${device}`;
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [builtFile("src/cli/try-device.js"), device]);
    return stdout === "right"
      ? { what, state: "ok", says: "compiled and ran a product, the result is right" }
      : { what, state: "problem", says: `a 2×2 product came out ${stdout}` };
  } catch (error) {
    const needs = OPTIONAL[device];
    // Half installed, such as a package without its CUDA libraries: what is missing is the news.
    const half = /^\w*Error: .*(is installed, but does not load: .*)$/m.exec(
      String((error as { stderr?: string }).stderr),
    )?.[1];
    if (half !== undefined) return { what, state: "note", says: `not available: its package ${half}` };
    if (needs !== undefined) return { what, state: "note", says: `not available; wanted: ${needs}` };
    const lines = String((error as { stderr?: string }).stderr ?? error).split("\n");
    const said = lines.find((line) => /Error\b/.test(line)) ?? lines[0];
    return { what, state: "problem", says: `the engine does not work here: ${said}` };
  }
}

async function devices(): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const device of ["cpu", "webgpu", "cuda", "tfjs-gpu"] as const) findings.push(await tryDevice(device));
  return findings;
}

async function pictures(): Promise<Finding> {
  try {
    const sharp = (await import("sharp")).default;
    const missing = PICTURE_FORMATS.filter((format) => !sharp.format[format].input.buffer);
    return missing.length === 0
      ? { what: "pictures", state: "ok", says: `${PICTURE_FORMATS.join(", ")} can be read (sharp)` }
      : { what: "pictures", state: "problem", says: `sharp cannot read ${missing.join(", ")}: npm rebuild sharp` };
  } catch (error) {
    const said = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return { what: "pictures", state: "problem", says: `sharp does not load: ${said}` };
  }
}

/** Which published encoders could be used without a download. */
function encoders(): Finding {
  const { encoders: all, cacheFolder } = surveyEncoders();
  const here = all.filter(({ place }) => place === "own export" || place === "downloaded").map(({ name }) => name);
  const onHub = all.filter(({ place }) => place === "hub").length;
  const shown = here.length === 0 ? "" : ` (${here.slice(0, 6).join(", ")}${here.length > 6 ? ", …" : ""})`;
  const says = `${here.length} of ${all.length} are here${shown}; ${onHub} can be downloaded into ${cacheFolder}: descry targets --encoders`;
  return { what: "encoders", state: here.length > 0 ? "ok" : "note", says };
}

function python(): Finding {
  return { what: "Python", state: "note", says: "not needed, not looked for" };
}
