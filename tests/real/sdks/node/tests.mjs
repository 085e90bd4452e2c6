// The vendors' libraries for Node as clients of `llm serve`, over each wire format of the gateway behind it.
//
// Run by tests/real/run in a directory with the libraries; $LLM_BIN is the binary.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test from 'node:test'

const { default: OpenAI } = await import('openai')
const { default: Anthropic } = await import('@anthropic-ai/sdk')

const LLM = process.env.LLM_BIN
const PROMPT = 'Summarize: the cat sat on the mat. It purred.'
const SHORT = 'The cat sat on the mat.'
const messages = [{ role: 'user', content: PROMPT }]

async function lines(child, count) {
  const found = []
  for await (const line of createInterface({ input: child.stdout })) {
    found.push(line)
    if (found.length === count) return found
  }
  throw new Error(`it ended after ${found}`)
}

const home = mkdtempSync(join(tmpdir(), 'llm-node-'))
const environment = { PATH: process.env.PATH, HOME: home }
const demo = spawn(LLM, ['demo-gateway'], { env: environment, stdio: ['pipe', 'pipe', 'inherit'] })
const [upstream] = await lines(demo, 1)
test.after(() => {
  demo.stdin.end()
  rmSync(home, { recursive: true })
})

for (const api of ['openai-chat', 'openai-responses', 'anthropic', 'gemini']) {
  test(`over ${api}`, async t => {
    const config = join(home, `${api}.toml`)
    const base = upstream.trim()
    writeFileSync(config, `default_gateway = "up"\n[gateway.up]\nbase_url = "${base}"\nauth = "none"\napi = "${api}"\n`)
    const server = spawn(LLM, ['serve', '--listen', '127.0.0.1:0'], {
      env: { ...environment, LLM_CONFIG: config, LLM_DATA_DIR: join(home, api) }, stdio: ['ignore', 'pipe', 'inherit'] })
    const [url, admin] = await lines(server, 2)
    const apiKey = admin.split(' ')[1]
    const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey })
    const anthropic = new Anthropic({ baseURL: url, apiKey })
    const model = 'demo/quick'

    await t.test('chat completions', async () => {
      const { data, response } = await openai.chat.completions.create({ model, messages }).withResponse()
      assert.equal(data.choices[0].message.content, SHORT)
      assert.ok(data.usage.completion_tokens > 0)
      assert.ok(response.headers.get('x-llm-call-id'))
    })
    await t.test('chat completions as a stream', async () => {
      let text = ''
      let usage
      const options = { model, messages, stream: true, stream_options: { include_usage: true } }
      for await (const chunk of await openai.chat.completions.create(options)) {
        text += chunk.choices[0]?.delta?.content ?? ''
        usage = chunk.usage ?? usage
      }
      assert.equal(text, SHORT)
      assert.ok(usage.completion_tokens > 0)
    })
    await t.test('responses', async () => {
      const response = await openai.responses.create({ model, input: PROMPT, store: false })
      assert.equal(response.output_text, SHORT)
      const kinds = []
      for await (const event of await openai.responses.create({ model, input: PROMPT, store: false, stream: true })) kinds.push(event.type)
      assert.equal(kinds.at(-1), 'response.completed')
    })
    await t.test('messages', async () => {
      const answer = await anthropic.messages.create({ model, max_tokens: 100, messages })
      assert.equal(answer.content[0].text, SHORT)
      assert.equal(answer.stop_reason, 'end_turn')
      const final = await anthropic.messages.stream({ model, max_tokens: 100, messages }).finalMessage()
      assert.equal(final.content.find(block => block.type === 'text').text, SHORT)
      assert.ok(final.usage.output_tokens > 0)
    })
    await t.test('tools', async () => {
      const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
      const answer = await openai.chat.completions.create({
        model, messages: [{ role: 'user', content: 'Ask get_weather, please.' }],
        tools: [{ type: 'function', function: { name: 'get_weather', parameters } }] })
      const [call] = answer.choices[0].message.tool_calls
      assert.equal(call.function.name, 'get_weather')
      assert.deepEqual(JSON.parse(call.function.arguments), { city: 'city' })
    })
    await t.test('errors', async () => {
      const wrong = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'lk-wrong', maxRetries: 0 })
      await assert.rejects(wrong.chat.completions.create({ model, messages }), OpenAI.AuthenticationError)
      const other = new Anthropic({ baseURL: url, apiKey: 'lk-wrong', maxRetries: 0 })
      await assert.rejects(other.messages.create({ model, max_tokens: 1, messages }), Anthropic.AuthenticationError)
      await assert.rejects(openai.chat.completions.create({ model: 'nowhere::m', messages }), OpenAI.NotFoundError)
    })
    await t.test('a client that leaves', async () => {
      const stream = await openai.chat.completions.create({ model: 'demo/steady', messages, stream: true })
      for await (const _ of stream) break
      stream.controller.abort()
      assert.equal((await openai.chat.completions.create({ model, messages })).choices[0].message.content, SHORT)
    })
    server.kill('SIGTERM')
    await new Promise(resolve => server.on('exit', resolve))
  })
}
