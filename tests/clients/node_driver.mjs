// node-postgres with pg-cursor and pg-query-stream.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(`${process.argv[3]}/`);
const pg = require('pg');
const Cursor = require('pg-cursor');
const QueryStream = require('pg-query-stream');
const company = process.env;
const count = Number(company.OPPORTUNITIES);

const pool = new pg.Pool({ connectionString: process.argv[2], max: 3, application_name: 'clients test' });
const { rows, fields } = await pool.query(
  'SELECT opportunity_id, amount, close_date::text AS day, created_at, is_won, probability, push_count'
  + ' FROM crm.opportunities WHERE opportunity_id = $1', [company.FIRST_OPPORTUNITY]);
assert.equal(rows[0].amount, company.FIRST_OPPORTUNITY_AMOUNT);
assert.equal(rows[0].day, '2023-05-07');
assert.equal(rows[0].created_at.toISOString(), '2022-10-10T09:00:25.000Z');
assert.deepEqual(fields.map((f) => f.dataTypeID), [25, 1700, 25, 1184, 16, 701, 20]);
const named = { name: 'won', text: 'SELECT count(*)::int AS n FROM crm.opportunities WHERE is_won = $1', values: [true] };
for (let n = 0; n < 3; n += 1) {
  assert.equal((await pool.query(named)).rows[0].n, Number(company.OPPORTUNITIES_WON));
}
const among = await pool.query('SELECT count(*)::int AS n FROM crm.opportunities WHERE opportunity_id = ANY($1)', [[company.FIRST_OPPORTUNITY, 'x']]);
assert.equal(among.rows[0].n, 1);
await assert.rejects(pool.query('SELECT * FROM crm.nothing_here'), { code: '42P01' });

const client = await pool.connect();
const cursor = client.query(new Cursor('SELECT opportunity_id FROM crm.opportunities'));
let read = 0;
for (;;) {
  const batch = await cursor.read(500);
  if (batch.length === 0) break;
  read += batch.length;
}
await cursor.close();
assert.equal(read, count);
const early = client.query(new Cursor('SELECT opportunity_id FROM crm.activities, crm.users'));
assert.equal((await early.read(10)).length, 10);
await early.close();
let streamed = 0;
let cents = 0n;
for await (const row of client.query(new QueryStream('SELECT amount FROM crm.opportunities', [], { batchSize: 300 }))) {
  streamed += 1;
  if (row.amount) cents += BigInt(row.amount.replace('.', ''));
}
assert.equal(streamed, count);
assert.equal(cents, BigInt(company.OPPORTUNITIES_AMOUNT.replace('.', '')));
client.release();
const several = await pool.query('SELECT 1::int AS a; SELECT 2::int AS b');
assert.deepEqual(several.map((result) => result.rows), [[{ a: 1 }], [{ b: 2 }]]);
await pool.end();
const version = (name) => JSON.parse(readFileSync(`${process.argv[3]}/node_modules/${name}/package.json`)).version;
console.log(`  pg ${version('pg')}, pg-cursor ${version('pg-cursor')}, pg-query-stream ${version('pg-query-stream')}: parameters, named statements, ${read} rows by cursor, ${streamed} by stream`);
