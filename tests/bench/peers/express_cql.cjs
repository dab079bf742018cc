// Express with cql-execution and cql-exec-fhir: the criteria are ELM, what CQL is compiled to (criteria.elm.json), their codes
// and limits are those of criteria.json. Run where package.json was installed: node express_cql.cjs PORT
const path = require('path');
const { createRequire } = require('module');

const installed = createRequire(path.join(process.cwd(), 'package.json'));
const express = installed('express');
const cql = installed('cql-execution');
const fhir = installed('cql-exec-fhir');
const criteria = require('./criteria.json');
const elm = require('./criteria.elm.json');

const names = Object.keys(criteria);
const valueSets = {};
const parameters = {};
for (const [name, { system, codes, ...limits }] of Object.entries(criteria)) {
  if (codes) valueSets[name] = { 1: codes.map((code) => ({ code, system })) };
  for (const [limit, value] of Object.entries(limits)) parameters[`${name}, ${limit}`] = value;
}
const executor = new cql.Executor(new cql.Library(elm), new cql.CodeService(valueSets), parameters);
// Its constructor parses a megabyte of XML, so that there is one, which one call at a time has: all of it runs on one thread.
const source = fhir.PatientSource.FHIRv401();
let turn = Promise.resolve();

async function decide(prefetch) {
  const resources = Object.values(prefetch).filter(Boolean);
  const entry = resources.flatMap((one) => (one.resourceType === 'Bundle' ? one.entry ?? [] : [{ resource: one }]));
  source.reset();
  source.loadBundles([{ resourceType: 'Bundle', type: 'collection', entry }]);
  const [found] = Object.values((await executor.exec(source)).patientResults);
  return {
    summary: `${names.filter((name) => found[name]).length} of ${names.length} criteria are met`,
    detail: names.map((name) => `${name}: ${found[name] ? 'met' : 'not met'}`).join('\n'),
    indicator: 'info',
    source: { label: 'Criteria' },
  };
}

const app = express();
app.use(express.json({ limit: '5mb' }));
app.get('/cds-services', (request, response) => response.json({ services: [{ id: 'criteria', hook: 'order-sign' }] }));
app.post('/cds-services/criteria', async (request, response) => {
  const decided = turn.then(() => decide(request.body.prefetch));
  // The next call's turn comes when this one's answer is on its way.
  turn = decided.catch(() => {}).then(() => new Promise(setImmediate));
  response.json({ cards: [await decided] });
});
app.listen(Number(process.argv[2]), '127.0.0.1');
