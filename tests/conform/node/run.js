'use strict';

// Runs every case in turn, each on connections of its own, and prints a line for each.
// Words on the command line choose the cases whose name contains one of them; CONFORM_LATER names those that
// are left out, because they are ahead of the broker.

const { Scene } = require('./scene');

const cases = [
  ...require('./cases/connection'),
  ...require('./cases/declare'),
  ...require('./cases/routing'),
  ...require('./cases/delivery'),
  ...require('./cases/publish'),
  ...require('./cases/message'),
];

// A broker that answers nothing would cost the deadline of every case; past this no case is begun.
const WHOLE_RUN_MS = 180_000;

function oneLine(error) {
  return String(error?.message ?? error).replace(/\s+/g, ' ');
}

async function runCase(name, play) {
  const scene = new Scene(name);
  const faults = [];
  for (const act of [() => scene.play(play), () => scene.clean()]) {
    try {
      await act();
    } catch (error) {
      faults.push(oneLine(error));
    }
  }
  scene.drop();
  console.log(faults.length === 0 ? `ok node/${name}` : `FAIL node/${name}: ${faults.join('; ')}`);
  return faults.length === 0;
}

async function main(words) {
  const chosen = cases.filter(([name]) => words.length === 0 || words.some((word) => name.includes(word)));
  if (chosen.length === 0) throw new Error(`no case is named like ${words.join(', ')}`);
  const later = (process.env.CONFORM_LATER ?? '').split(' ');
  const end = Date.now() + WHOLE_RUN_MS;
  let failed = 0;
  for (const [name, play] of chosen) {
    if (later.includes(name)) {
      console.log(`later node/${name}`);
      continue;
    }
    if (Date.now() > end) {
      console.log(`FAIL node/${name}: not begun, the run has taken ${WHOLE_RUN_MS} ms`);
      failed += 1;
      continue;
    }
    if (!(await runCase(name, play))) failed += 1;
  }
  return failed === 0 ? 0 : 1;
}

main(process.argv.slice(2)).then(
  (status) => process.exit(status),
  (error) => {
    console.log(`FAIL node/run: ${oneLine(error)}`);
    process.exit(1);
  },
);
