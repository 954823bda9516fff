import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ImageSource } from "../../data/image-source.js";
import { variantOf } from "../../data/variants.js";
import type { AutoencoderSettings } from "../../features/autoencoder/autoencoder-name.js";
import { type CacheLatentsOptions, cacheLatents } from "../../features/autoencoder/cache-latents.js";
import { drawLatents, perChannel, unscaleLatents } from "../../features/autoencoder/latent-scaling.js";
import { measureScaling } from "../../features/autoencoder/latent-statistics.js";
import { toMoments } from "../../features/autoencoder/moments.js";
import { openLatentDecoder } from "../../features/autoencoder/open-decoder.js";
import { openLatentEncoder } from "../../features/autoencoder/open-encoder.js";
import { parseAutoencoder } from "../../features/autoencoder/parse-autoencoder.js";
import { checkExported } from "../../features/autoencoder/published.js";
import { maxDifference, picture, randomPicture } from "./images.js";
import { OFFSET, SLOPE, tinyLatentDecoder, tinyLatentEncoder, writeTinyAutoencoder } from "./tiny-autoencoder.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "descry-autoencoder-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Means over 2×2 pixels of an image of the given side, in −1…1, channels first. */
function pooled(pixels: Uint8Array, sizePx: number): number[] {
  const side = sizePx / 2;
  return Array.from({ length: 3 * side * side }, (_, i) => {
    const [c, y, x] = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side];
    let sum = 0;
    for (const [dy, dx] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ] as const) {
      // biome-ignore format: one line
      sum += pixels[((2 * y + dy) * sizePx + 2 * x + dx) * 3 + c]! / 127.5 - 1;
    }
    return sum / 4;
  });
}

describe("names", () => {
  const NAME = "onnx:enc.onnx#z?decoder=dec.onnx&latents=mean+logvar&pixels=-1..1&channels=4";

  test("everything can stand in the name, and the canonical name says all of it again", () => {
    const long = `${NAME}&image=y&downsampling=16&scale=0.5,1,2,3&bias=0,-1,2,0.25`;
    const settings = parseAutoencoder(long);
    expect(settings).toMatchObject({
      encoder: { file: "enc.onnx", output: "z" },
      decoder: { file: "dec.onnx", output: "y" },
      latents: "mean+logvar",
      pixels: "-1..1",
      channels: 4,
      downsampling: 16,
      scale: [0.5, 1, 2, 3],
      bias: [0, -1, 2, 0.25],
    });
    expect(parseAutoencoder(settings.name)).toEqual(settings);
    expect(parseAutoencoder(NAME)).toMatchObject({ name: NAME, downsampling: 8 });
    expect(parseAutoencoder(NAME)).not.toHaveProperty("scale");
  });

  test("or in a YAML file beside the encoder, the decoder from its folder", () => {
    mkdirSync(join(folder, "m"));
    const yaml = "output: z\ndecoder: dec.onnx\nlatents: mean\npixels: 0..1\nchannels: 2\nscale: [0.5, 2]\n";
    writeFileSync(join(folder, "m", "enc.onnx.yaml"), yaml);
    const settings = parseAutoencoder(`onnx:${folder}/m/enc.onnx`);
    expect(settings).toMatchObject({ decoder: { file: `${folder}/m/dec.onnx` }, channels: 2, scale: [0.5, 2] });
    // The canonical name does not need the file any more.
    rmSync(join(folder, "m"), { recursive: true });
    expect(parseAutoencoder(settings.name)).toEqual(settings);
  });

  test.each([
    ["onnx:enc.onnx?decoder=d", /want onnx:ENCODER#OUTPUT/],
    ["onnx:enc.onnx#z", /"decoder" is missing/],
    [NAME.replace("&channels=4", ""), /"channels" is missing/],
    [NAME.replace("mean+logvar", "moments"), /latents wants mean or mean\+logvar or mean\+std, got "moments"/],
    [NAME.replace("-1..1", "0..255"), /pixels wants -1\.\.1 or 0\.\.1, got "0\.\.255"/],
    [NAME.replace("channels=4", "channels=0"), /channels wants a whole number from 1, got "0"/],
    [`${NAME}&scale=0`, /scale wants one number above 0 or 4, got "0"/],
    [`${NAME}&bias=1,2`, /bias wants one number or 4, got "1,2"/],
    [`${NAME}&chanels=4`, /unknown key "chanels".*did you mean "channels"/],
    ["sd-vae-ft-msa", /unknown autoencoder "sd-vae-ft-msa".*did you mean "sd-vae-ft-mse"/],
    ["vae", /unknown autoencoder "vae"; there are: onnx:ENCODER#OUTPUT\?…, sd-vae-ft-mse, sd-vae-ft-ema/],
  ])("%s", (name, message) => {
    expect(() => parseAutoencoder(name)).toThrow(message);
  });

  test("the SD-VAE is known by name; where it is not exported, one line says how", () => {
    const settings = parseAutoencoder("sd-vae-ft-mse");
    expect(settings).toMatchObject({ channels: 4, downsampling: 8, latents: "mean+logvar", pixels: "-1..1" });
    expect(settings.scale).toEqual([0.18215]);
    expect(() => checkExported(settings)).toThrow(
      /^autoencoder "sd-vae-ft-mse": .*encoder\.onnx is not here.* python -c 'import torch, diffusers; .*stabilityai\/sd-vae-ft-mse.*'$/,
    );
    expect(() => checkExported(parseAutoencoder(NAME))).not.toThrow();
  });
});

describe("moments", () => {
  test("a log-variance becomes a standard deviation, clamped as published; means stay", () => {
    const output = Float32Array.of(5, -6, Math.log(0.25), 0, 7, 8, -100, 100);
    toMoments(output, 2, "mean+logvar");
    const expected = [5, -6, 0.5, 1, 7, 8, Math.exp(-15), Math.exp(10)].map(Math.fround);
    expect([...output]).toEqual(expected);
    for (const kind of ["mean", "mean+std"] as const) {
      const kept = Float32Array.of(1, 2, 3, 4);
      toMoments(kept, 1, kind);
      expect([...kept]).toEqual([1, 2, 3, 4]);
    }
  });

  test("latents are drawn as (mean + std · noise − bias) · scale, and come back by x / scale + bias", () => {
    // Two images, two channels of two places: means 0…, standard deviations behind them.
    const cached = Float32Array.of(1, 2, 3, 4, 0.5, 0.25, 2, 1, 5, 6, 7, 8, 0, 1, 1, 0);
    const noise = Float32Array.of(1, -1, 2, 0, 3, 1, -1, 9);
    const scaling = { scale: [2, 0.5], bias: [1, -1] };
    const drawn = drawLatents(cached, 2, scaling, noise);
    expect([...drawn]).toEqual([1, 1.5, 4, 2.5, 8, 12, 3.5, 4.5]);
    const back = new Float32Array(4);
    unscaleLatents(drawn.subarray(0, 4), scaling, back);
    expect([...back]).toEqual([1.5, 1.75, 7, 4]);
    expect([...drawLatents(Float32Array.of(3, 5), 1, scaling)]).toEqual([4, 3]);
    expect(() => drawLatents(cached.subarray(1), 2, scaling, noise)).toThrow(/15 values are not 2 of 4 channels/);
    expect(perChannel([0.18215], 4)).toEqual([0.18215, 0.18215, 0.18215, 0.18215]);
  });
});

describe("networks", () => {
  const open = async (changes: Partial<AutoencoderSettings> = {}, sizePx = 8) => {
    const settings = { ...parseAutoencoder(writeTinyAutoencoder(folder)), ...changes };
    return {
      settings,
      encoder: () => openLatentEncoder(settings, sizePx),
      decoder: () => openLatentDecoder(settings, sizePx),
    };
  };

  test("an image is encoded to means and standard deviations, and decoded to its block means", async () => {
    const { encoder, decoder } = await open();
    const [encode, decode] = [await encoder(), await decoder()];
    expect(encode.shape).toEqual([6, 4, 4]);
    // More images than are worked on at once.
    const count = 67;
    const images = Array.from({ length: count }, (_, i) => randomPicture(i, 8, 8).pixels);
    const moments = await encode.encode(Buffer.concat(images), count);
    const means = images.map((image) => pooled(image, 8));
    const wanted = means.flatMap((mean) => [...mean, ...mean.map((m) => Math.exp((SLOPE * m + OFFSET) / 2))]);
    expect(maxDifference(moments, Float32Array.from(wanted))).toBeLessThan(1e-6);

    const out = new Uint8Array(count * 8 * 8 * 3);
    await decode.decode(Float32Array.from(means.flat()), count, out);
    for (const at of [0, 5, 191, 64 * 192 + 100, count * 192 - 1]) {
      const [i, y, x, c] = [Math.floor(at / 192), Math.floor(at / 24) % 8, Math.floor(at / 3) % 8, at % 3];
      const share = (means[i]![c * 16 + Math.floor(y / 2) * 4 + Math.floor(x / 2)]! + 1) / 2;
      // Cut down to a whole number; the last bits of float32 may fall on either side of one.
      expect(Math.abs(out[at]! + 0.5 - 255 * share)).toBeLessThan(0.5 + 1e-4);
    }
    await Promise.all([encode.dispose(), decode.dispose()]);
  });

  test("pixels in 0..1, means only, standard deviations given, models with a fixed batch", async () => {
    const image = randomPicture(3, 8, 8).pixels;
    const name = writeTinyAutoencoder(folder, { kind: "mean", batch: 3 });
    const unit = parseAutoencoder(name.replace("-1..1", "0..1"));
    const [encode, decode] = [await openLatentEncoder(unit, 8), await openLatentDecoder(unit, 8)];
    const latent = await encode.encode(image, 1);
    expect(maxDifference(latent, Float32Array.from(pooled(image, 8).map((m) => (m + 1) / 2)))).toBeLessThan(1e-6);
    const out = new Uint8Array(4 * 192);
    await decode.decode(
      Float32Array.from({ length: 4 * 48 }, (_, i) => i / 150 - 0.1),
      4,
      out,
    );
    // (0, 0) of image 1, green: value (48 + 16) / 150 − 0.1; the last beyond white, the first below black.
    expect([out[193], out[0], out[767]]).toEqual([Math.floor(255 * (64 / 150 - 0.1)), 0, 255]);
    await Promise.all([encode.dispose(), decode.dispose()]);

    const spread = parseAutoencoder(writeTinyAutoencoder(folder, { kind: "mean+std" }));
    const encoder = await openLatentEncoder(spread, 8);
    const means = pooled(image, 8);
    const wanted = Float32Array.from([...means, ...means.map((m) => m * m)]);
    expect(maxDifference(await encoder.encode(image, 1), wanted)).toBeLessThan(1e-6);
    await encoder.dispose();
  });

  test.each<[Partial<AutoencoderSettings>, RegExp]>([
    [{ channels: 4 }, /tensor "moments" has 6 channels, want 8 \(latents=mean\+logvar of channels=4\)/],
    [{ latents: "mean" }, /has 6 channels, want 3 \(latents=mean of channels=3\) — perhaps latents=mean\+logvar/],
    [
      { latents: "mean", channels: 6, downsampling: 4 },
      /is 4×4 for images of 8 px, want 2×2 \(downsampling=4\) — perhaps downsampling=2/,
    ],
    [{ encoder: { file: "none.onnx", output: "z" } }, /autoencoder .*: none\.onnx: cannot be read \(ENOENT\)/],
  ])("an encoder that is not what its name says: %j", async (changes, message) => {
    await expect((await open(changes)).encoder()).rejects.toThrow(message);
  });

  test("means where moments are wanted, no such tensor, and an export that draws random numbers", async () => {
    const { settings, encoder } = await open({ channels: 3 });
    const mean = { ...settings, encoder: { ...settings.encoder, output: "mean" } };
    await expect(openLatentEncoder(mean, 8)).rejects.toThrow(/has 3 channels, want 6 .* — perhaps latents=mean$/);
    const misspelt = { ...settings, encoder: { ...settings.encoder, output: "momets" } };
    await expect(openLatentEncoder(misspelt, 8)).rejects.toThrow(/no tensor "momets".*did you mean "moments"/);
    writeFileSync(settings.encoder.file, tinyLatentEncoder({ isRandom: true }));
    await expect(encoder()).rejects.toThrow(/differs between two runs on one image: the model draws random numbers/);
  });

  test("a decoder of another size, of other channels, without an only output", async () => {
    const { settings, decoder } = await open();
    writeFileSync(settings.decoder.file, tinyLatentDecoder({ upsampling: 4 }));
    await expect(decoder()).rejects.toThrow(
      /tensor "image" of decoder\.onnx is \[1, 3, 16, 16\], want .* \[3, 8, 8\], as the encoder takes them/,
    );
    await expect(openLatentDecoder({ ...settings, channels: 4 }, 8)).rejects.toThrow(
      /decoder\.onnx should take one input \[n, 4, 4, 4\], it takes latent \[n, 3, h, w\]/,
    );
    const named = { ...settings, decoder: { ...settings.decoder, output: "picture" } };
    await expect(openLatentDecoder(named, 8)).rejects.toThrow(/has no tensor "picture"/);
  });

  test("a picture that is not finite is named", async () => {
    const decode = await (await open()).decoder();
    const latents = new Float32Array(96);
    latents[50] = Number.NaN;
    const decoding = decode.decode(latents, 2, new Uint8Array(384), (i) => `sample ${i + 7}`);
    await expect(decoding).rejects.toMatchObject({
      tag: "NumericError",
      message: expect.stringMatching(/sample 8 decodes to values that are not finite/),
    });
    await decode.dispose();
  });
});

describe("cached latents", () => {
  const source = (changes: Partial<ImageSource> = {}): ImageSource => ({
    name: "pictures",
    classes: ["even", "odd"],
    length: 5,
    fingerprint: "abc",
    skipped: [],
    id: (index) => `picture ${index}`,
    label: (index) => index % 2,
    async load(index, sizePx, { flip = false, crop } = {}) {
      // A crop is another picture here.
      const { pixels } = randomPicture(crop === undefined ? index : 100 + Math.floor(crop[0] * 100), sizePx, sizePx);
      return flip
        ? picture(sizePx, sizePx, (y, x, c) => pixels[(y * sizePx + sizePx - 1 - x) * 3 + c]!).pixels
        : pixels;
    },
    close: async () => {},
    ...changes,
  });
  const options = (changes: Partial<CacheLatentsOptions> = {}): CacheLatentsOptions => ({
    source: source(),
    autoencoder: parseAutoencoder(writeTinyAutoencoder(folder)),
    sizePx: 8,
    dtype: "F32",
    flips: true,
    variants: 3,
    seed: 2,
    cacheFolder: join(folder, "cache"),
    ...changes,
  });

  test("are the moments of every variant, with its label", async () => {
    const given = options();
    const { store } = await cacheLatents(given);
    expect(store.header.rows).toBe(15);
    const rows = [0, 4, 5 + 4, 10 + 3];
    const latents = (await store.read("latent", rows)) as Float32Array;
    expect([...(await store.read("label", rows))]).toEqual([0, 0, 0, 1]);
    await store.close();
    const wanted: number[] = [];
    for (const row of rows) {
      const { index, variant } = variantOf(row, 5, given);
      const means = pooled(await given.source.load(index, 8, variant), 8);
      wanted.push(...means, ...means.map((m) => Math.exp((SLOPE * m + OFFSET) / 2)));
    }
    expect(maxDifference(latents, Float32Array.from(wanted))).toBeLessThan(1e-6);
  });

  test.each<[string, (given: CacheLatentsOptions) => Partial<CacheLatentsOptions>]>([
    ["images", () => ({ source: source({ fingerprint: "other" }) })],
    ["size", () => ({ sizePx: 16 })],
    ["variants", () => ({ variants: 4 })],
    ["seed of the crops", () => ({ seed: 3 })],
    ["precision", () => ({ dtype: "F16" })],
    ["range of the pixels", ({ autoencoder }) => ({ autoencoder: { ...autoencoder, pixels: "0..1" } })],
    ["reading of the moments", ({ autoencoder }) => ({ autoencoder: { ...autoencoder, latents: "mean+std" } })],
  ])("other %s: another cache", async (_, changes) => {
    const given = options();
    const first = await cacheLatents(given);
    const second = await cacheLatents({ ...given, ...changes(given) });
    await Promise.all([first.store.close(), second.store.close()]);
    expect(second.reused).toBe(false);
    expect(second.folder).not.toBe(first.folder);
  });

  test("the same file elsewhere, another decoder or scale: the same cache; another encoder: another", async () => {
    const given = options();
    const first = await cacheLatents(given);
    const { encoder } = given.autoencoder;
    const copy = join(folder, "copy.onnx");
    writeFileSync(copy, tinyLatentEncoder());
    const moved = { ...given.autoencoder, encoder: { ...encoder, file: copy }, scale: [3] };
    const second = await cacheLatents({ ...given, autoencoder: moved });
    writeFileSync(copy, tinyLatentEncoder({ kind: "mean+std" }));
    const third = await cacheLatents({ ...given, autoencoder: moved });
    await Promise.all([first, second, third].map(({ store }) => store.close()));
    expect([second.reused, third.reused]).toEqual([true, false]);
  });

  test("a latent that is not finite names the image", async () => {
    const { source: whole, ...given } = options();
    const autoencoder = { ...given.autoencoder, latents: "mean" as const, channels: 6 };
    writeFileSync(autoencoder.encoder.file, tinyLatentEncoder({ isLogarithm: true }));
    const load: ImageSource["load"] = async (index, sizePx, variant) =>
      index === 3 ? new Uint8Array(sizePx ** 2 * 3) : whole.load(index, sizePx, variant);
    await expect(cacheLatents({ ...given, autoencoder, source: source({ load }) })).rejects.toMatchObject({
      tag: "NumericError",
      message: expect.stringMatching(/the latent of image picture 3 has -Infinity in channel 3/),
    });
  });
});

describe("statistics of cached latents", () => {
  test("are those of many draws, and of means alone", async () => {
    const channels = 2;
    const rows = 700; // more than are read at a time
    const shape = [2 * channels, 2, 1];
    const data = Float32Array.from({ length: rows * 8 }, (_, i) => {
      const [row, c] = [Math.floor(i / 8), Math.floor((i % 8) / 2)];
      // Means far from 0 beside their spread; standard deviations that differ.
      return c < channels ? 100 * (c + 1) + Math.sin(row * 3 + i) : 0.5 + c * 0.25 + 0.1 * Math.cos(row);
    });
    const read = async (_: string, wanted: ArrayLike<number>) =>
      Float32Array.from(Array.from(wanted).flatMap((row) => [...data.subarray(row * 8, row * 8 + 8)]));
    const columns = { latent: { dtype: "F32" as const, shape } };
    const store = { folder: "", header: { key: "", rows, columns, meta: {} }, read, close: async () => {} };
    const { scale, bias } = await measureScaling(store, channels);
    for (let c = 0; c < channels; c++) {
      // In two passes, and E over draws of (mean + std · n)² in closed form.
      const values = Array.from({ length: rows * 2 }, (_, i) => {
        const at = Math.floor(i / 2) * 8 + c * 2 + (i % 2);
        return [data[at]!, data[at + channels * 2]!] as const;
      });
      const mean = values.reduce((sum, [m]) => sum + m, 0) / values.length;
      const variance = values.reduce((sum, [m, s]) => sum + (m - mean) ** 2 + s * s, 0) / values.length;
      expect(bias[c]).toBeCloseTo(mean, 9);
      expect(scale[c]).toBeCloseTo(1 / Math.sqrt(variance), 9);
    }
    const means = { ...store, header: { ...store.header, columns: { latent: { dtype: "F32" as const, shape } } } };
    const all = await measureScaling(means, 2 * channels);
    expect(all.bias.slice(0, 2).map((value) => Math.round(value))).toEqual([100, 200]);
    expect(all.scale[0]).toBeGreaterThan(scale[0]!);
  });

  test("a channel that is the same everywhere has no scale", async () => {
    const columns = { latent: { dtype: "F32" as const, shape: [1, 2, 2] } };
    const read = async (_: string, wanted: ArrayLike<number>) => new Float32Array(wanted.length * 4).fill(3);
    const store = { folder: "", header: { key: "", rows: 9, columns, meta: {} }, read, close: async () => {} };
    await expect(measureScaling(store, 1)).rejects.toThrow(/channel 0 is the same everywhere/);
  });
});
