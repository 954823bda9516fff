/** @file Points from a CSV file: published numbers, or those of a cluster's runs. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { CsvError, parse } from "csv-parse/sync";
import { fileError } from "../../data/atomic.js";
import { DataError, UsageError } from "../../data/errors.js";
import { nearestName } from "../../data/nearest.js";
import { METRICS } from "../report/metrics.js";
import type { Points, TargetPoint } from "./target-points.js";

const DEFAULT_AGAINST = ["fid", "frechet_distance"];

export interface TableOptions {
  /** Column of the generation metric. @default `fid` or `frechet_distance`, whichever is there */
  readonly against?: string;
  /** Columns of the representation metrics. @default all other columns of numbers */
  readonly metrics?: readonly string[];
}

/**
 * Read a table with a column `target` and columns of numbers. Empty cells are numbers that are not known; a row without the
 * generation metric is no point. Columns without any number are passed over.
 *
 * @throws {DataError} no such file or not CSV; a text among numbers, or a target twice: by line and column.
 * @throws {UsageError} a column that is asked for and not there.
 */
export async function readPointTable(file: string, options: TableOptions): Promise<Points> {
  const rows = parseTable(await readText(file), file);
  const head = rows[0]?.cells.map((name) => name.trim()) ?? [];
  const at = (name: string): number => {
    const place = head.indexOf(name);
    if (place >= 0) return place;
    const near = nearestName(name, head);
    throw new UsageError(`${file}: has no column "${name}"`, {
      hint: `${near === undefined ? "" : `did you mean "${near}"? `}columns: ${head.join(", ")}`,
    });
  };
  const against = options.against ?? DEFAULT_AGAINST.find((name) => head.includes(name)) ?? DEFAULT_AGAINST[0]!;
  const [targetAt, againstAt] = [at("target"), at(against)];
  const body = rows.slice(1);
  const isNumeric = (column: number) => body.some(({ cells }) => isNumber(cells[column]!));
  const others = head.filter((_, column) => column !== targetAt && column !== againstAt && isNumeric(column));
  const columns = options.metrics ?? others;
  if (columns.length === 0) {
    throw new DataError(`${file}: wanted columns of numbers besides target and ${against}, found none`, {
      hint: "for example: target,lds,fid",
    });
  }
  const numberIn = ({ line, cells }: Row, column: number): number | null => {
    const text = cells[column]!.trim();
    if (text === "") return null;
    if (isNumber(text)) return Number(text);
    throw new DataError(`${file}:${line}: ${head[column]}: wanted a number or nothing, got ${JSON.stringify(text)}`);
  };
  const points: TargetPoint[] = [];
  for (const row of body) {
    const target = row.cells[targetAt]!.trim();
    if (points.some((point) => point.target === target)) {
      throw new DataError(`${file}:${row.line}: target: "${target}" stands there twice`, {
        hint: "one row a target: average its seeds first",
      });
    }
    const value = numberIn(row, againstAt);
    const metrics = Object.fromEntries(columns.map((name) => [name, numberIn(row, at(name))]));
    if (value !== null) points.push({ target, metrics, value, repetitions: 1 });
  }
  const known = METRICS.find(({ key }) => key === against);
  const direction = against === "fid" ? "lower" : (known?.direction ?? null);
  return {
    against: { key: against, label: against === "fid" ? "FID" : (known?.label ?? against), direction },
    groups: [
      {
        label: path.basename(file),
        recipe: null,
        columns: columns.map((key) => ({ key, short: key, variant: `column ${key} of ${path.basename(file)}` })),
        points,
        protocol: "",
      },
    ],
  };
}

interface Row {
  readonly line: number;
  readonly cells: readonly string[];
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw fileError(error, "cannot read", file);
  }
}

function parseTable(text: string, file: string): Row[] {
  try {
    const parsed = parse(text, { bom: true, info: true, skip_empty_lines: true }) as unknown as {
      info: { lines: number };
      record: string[];
    }[];
    return parsed.map(({ info, record }) => ({ line: info.lines, cells: record }));
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new DataError(`${file}: not a table of comma-separated values: ${error.message}`, { cause: error });
  }
}

const isNumber = (text: string): boolean => text.trim() !== "" && Number.isFinite(Number(text));
