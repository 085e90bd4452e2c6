// aimock, a gateway for tests that others wrote, as the gateway of `llm`: answers over each wire format, streams that
// break off, and batches that are handed over with `--via api`.
//
// Run by tests/real/run in a directory with the library; $LLM_BIN is the binary.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'

const { LLMock } = await import('@copilotkit/aimock')

const LLM = process.env.LLM_BIN
const KEY = 'sk-CANARY-93b7a15c20de'
const LIMIT = 60_000 // milliseconds, for what takes few
const ANSWER = 'The cat sat on the mat, and purred.'
const OUTCOMES = ['completed', 'failed', 'expired', 'cancelled']
const PATHS = { 'openai-chat': '/v1', 'openai-responses': '/v1', anthropic: '/v1', gemini: '/v1beta' }

const mock = new LLMock({ port: 0 })
mock.onMessage('cat', { content: ANSWER })
mock.onMessage('cut', { content: 'one two three four five six seven eight' }, { chunkSize: 4, latency: 20, truncateAfterChunks: 8 })
mock.onMessage('refused', { error: { message: 'The prompt is too long.', type: 'invalid_request_error', code: 'context_length_exceeded' }, status: 400 })
mock.onMessage('What is', { content: 'A word.' })
await mock.start()
const home = mkdtempSync(join(tmpdir(), 'llm-aimock-'))
test.after(async () => {
  rmSync(home, { recursive: true })
  await mock.stop()
})

const config = join(home, 'llm.toml')
const gateways = Object.entries(PATHS).map(([api, path]) => `[gateway.${api}]\nbase_url = "${mock.url}${path}"\napi = "${api}"\n`)
const batches = OUTCOMES.map(outcome =>
  `[gateway.${outcome}]\nbase_url = "${mock.url}/v1"\nheaders = { X-AIMock-Batch-Outcome = "${outcome}" }\n`)
writeFileSync(config, ['default_gateway = "openai-chat"\n', ...gateways, ...batches].join(''))

/** Runs `llm`; the outcome has what it printed and its exit code. */
function llm(...args) {
  const env = { PATH: process.env.PATH, HOME: home, XDG_RUNTIME_DIR: home, DBUS_SESSION_BUS_ADDRESS: `unix:path=${home}/no-bus`,
    LLM_CONFIG: config, LLM_DATA_DIR: join(home, 'data') }
  const keys = [...Object.keys(PATHS), ...OUTCOMES].map(name => [`LLM_${name.toUpperCase().replaceAll('-', '_')}_API_KEY`, KEY])
  return new Promise(resolve => {
    const options = { env: { ...env, ...Object.fromEntries(keys) }, timeout: LIMIT }
    const child = execFile(LLM, args, options, (error, stdout, stderr) => {
      assert.ok(!`${stdout}${stderr}`.includes(KEY), 'the key is shown')
      resolve({ code: error ? error.code : 0, stdout, stderr })
    })
    child.stdin.end()
  })
}

for (const api of Object.keys(PATHS)) {
  test(`an answer over ${api}, streamed and in one piece`, async () => {
    for (const mode of [[], ['--no-stream']]) {
      const { code, stdout, stderr } = await llm('ask', '-g', api, '-m', 'gpt-5.4-mini', '-o', 'json', ...mode, 'the cat')
      assert.equal(code, 0, stderr)
      const answer = JSON.parse(stdout)
      assert.equal(answer.text, ANSWER)
      // Where it tells no usage it sends zeros, which no answer has.
      assert.notEqual(answer.usage.output_tokens, 0)
      // It keeps the connection open for seconds after the answer.
      assert.ok(answer.timing.total_ms < 3000, `the answer took ${answer.timing.total_ms} ms`)
    }
  })

  test(`a stream over ${api} that breaks off keeps its text and exits with 8`, async () => {
    const { code, stdout, stderr } = await llm('ask', '-g', api, '-m', 'gpt-5.4-mini', '--retries', '0', 'is cut')
    assert.equal(code, 8, stderr)
    assert.ok('one two three four five six seven eight'.startsWith(stdout.trim()) && stdout.trim() !== '', stdout)
  })

  test(`a refusal over ${api} is told and not repeated`, async () => {
    const before = mock.getRequests().length
    const { code, stderr } = await llm('ask', '-g', api, '-m', 'gpt-5.4-mini', 'is refused')
    assert.notEqual(code, 0)
    assert.match(stderr, /The prompt is too long\./)
    assert.equal(mock.getRequests().length - before, 1)
  })
}

test('models of one prompt, side by side over all wire formats', async () => {
  const models = Object.keys(PATHS).map(api => `${api}::gpt-5.4-mini`).join()
  const { code, stdout, stderr } = await llm('compare', '-m', models, '-o', 'json', 'the cat')
  assert.equal(code, 0, stderr)
  assert.deepEqual(JSON.parse(stdout).answers.map(answer => answer.text), Array(4).fill(ANSWER))
})

const TEMPLATE = 'What is {{ text }}?'
const rows = join(home, 'rows.jsonl')
writeFileSync(rows, ['{"text": "good"}', '{"text": "bad"}', '{"text": "fair"}'].join('\n') + '\n')

/** Hands the rows over to that gateway; returns the path of the output. */
async function handedOver(gateway) {
  const out = join(home, `${gateway}.jsonl`)
  const { code, stderr } = await llm('batch', rows, TEMPLATE, '-g', gateway, '-m', 'gpt-5.4-mini', '--out', out, '--via', 'api')
  assert.equal(code, 0, stderr)
  return out
}

const lines = out => readFileSync(out, 'utf8').split('\n').filter(Boolean).map(line => JSON.parse(line))

test('a batch that is handed over and collected', async () => {
  const out = await handedOver('completed')
  const status = await llm('batch', 'status')
  assert.match(status.stderr, /rows 1 to 3: in_progress/)
  const { code, stderr } = await llm('batch', 'collect', '--wait')
  assert.equal(code, 0, stderr)
  assert.deepEqual(lines(out).map(line => [line.row, line.text]), [1, 2, 3].map(row => [row, 'Mock batch completion']))
  const again = await llm('batch', 'collect')
  assert.equal(again.code, 0, again.stderr)
  assert.equal(lines(out).length, 3)
})

test('a batch whose requests failed has a line for each that says so', async () => {
  const out = await handedOver('failed')
  const { code, stderr } = await llm('batch', 'collect', '--wait')
  assert.notEqual(code, 0, stderr)
  assert.deepEqual(lines(out).map(line => line.status), ['failed', 'failed', 'failed'])
  assert.match(lines(out)[0].error.message, /Mock batch failure/)
})

for (const outcome of ['expired', 'cancelled']) {
  test(`a batch that is ${outcome} leaves its rows for another run`, async () => {
    const out = await handedOver(outcome)
    const { code, stderr } = await llm('batch', 'collect', '--wait')
    assert.equal(code, 8, stderr)
    assert.match(stderr, /3 requests have neither an answer nor a failure/)
    assert.match(stderr, /to go on: llm batch .* --resume/)
    assert.deepEqual(lines(out), [])
    const again = await llm('batch', rows, TEMPLATE, '-g', outcome, '-m', 'gpt-5.4-mini', '--out', out, '--resume')
    assert.equal(again.code, 0, again.stderr)
    assert.deepEqual(lines(out).map(line => line.row), [1, 2, 3])
  })
}

test('a batch is cancelled', async () => {
  await handedOver('openai-chat')
  const cancelled = await llm('batch', 'cancel')
  assert.equal(cancelled.code, 0, cancelled.stderr)
  const { stderr } = await llm('batch', 'status')
  assert.match(stderr, /rows 1 to 3: cancelled/)
})
