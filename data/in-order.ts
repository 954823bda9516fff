/**
 * The results of `task(0)`, `task(1)`, … `task(count − 1)` in that order, while up to `width` of them are under way: reading many
 * files waits for one of them only.
 */
export async function* inOrder<Result>(
  count: number,
  width: number,
  task: (index: number) => Promise<Result>,
): AsyncGenerator<Result> {
  const running: Promise<Result>[] = [];
  for (let index = 0; index < count + width; index++) {
    const slot = index % width;
    if (index >= width && index - width < count) yield await running[slot]!;
    if (index >= count) continue;
    running[slot] = task(index);
    // Its failure is reported when its turn comes, not before.
    running[slot].catch(() => undefined);
  }
}
