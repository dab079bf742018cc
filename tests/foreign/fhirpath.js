// Evaluates FHIRPath with fhirpath.js (NLM): JSON in, JSON out. Run where package.json was installed.
//
// In: a list of {known: {name: value}, computed: [[name, expression]], asked: {key: expression}}, the second evaluated in
// its order, each with what was known before it. Out: a list of {key: [values]}, in the same order.
const path = require('path');
const { createRequire } = require('module');

const installed = createRequire(path.join(process.cwd(), 'package.json'));
const fhirpath = installed('fhirpath');
const r4 = installed('fhirpath/fhir-context/r4');

const evaluate = (expression, known) => fhirpath.evaluate({}, expression, known, r4);

const answers = JSON.parse(require('fs').readFileSync(0, 'utf8')).map(({ known, computed, asked }) => {
  for (const [name, expression] of computed) known[name] = evaluate(expression, known);
  return Object.fromEntries(Object.entries(asked).map(([key, expression]) => [key, evaluate(expression, known)]));
});
process.stdout.write(JSON.stringify(answers));
