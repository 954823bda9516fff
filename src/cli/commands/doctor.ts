import { type Command, flag } from "../command.js";
import { OUTPUT_OPTIONS, printResult } from "../experiment-options.js";

/** `descry doctor`: what this machine has, what is missing and what to do about it. */
export const doctorCommand: Command = {
  name: "doctor",
  arguments: "",
  summary: "tell what this machine has, and what is missing, in words",
  positionals: {},
  options: { json: OUTPUT_OPTIONS.json },
  examples: [["$0 doctor", "versions, devices, memory and disk"]],
  async run(args, context) {
    const { examine } = await import("../doctor.js");
    const findings = await examine(context.cwd);
    const wide = Math.max(...findings.map(({ what }) => what.length));
    const signs = { ok: "ok  ", note: "    ", problem: "!!  " } as const;
    const lines = findings.map(({ what, state, says }) => `${signs[state]}${what.padEnd(wide)}  ${says}`);
    const problems = findings.filter(({ state }) => state === "problem").length;
    const verdict = problems === 0 ? "everything that descry needs is here" : `${problems} thing(s) to mend, marked !!`;
    printResult(args, context, { ready: problems === 0, findings }, [...lines, "", verdict].join("\n"));
    return problems === 0 || flag(args, "json") ? 0 : 2;
  },
};
