// Load a folder as it is in transformers.js, generate, print what came out as JSON.
//
//   node tests/export/transformers_js_generate.mjs ENVIRONMENT FOLDER CLIPS.json
//
// ENVIRONMENT holds node_modules. CLIPS.json: {"max_new_tokens": n, "clips": [{"mel": file of
// float32 [n_mels, frames], "shape": [1, n_mels, frames], "audio": file of float32 samples or
// null}]}. Per clip: the tokens on the given features, and with audio the tokens and text on the
// features that transformers.js computes itself, with the largest difference between the two.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, resolve } from "node:path";

const [environment, folder, clipsPath] = process.argv.slice(2);
const load = createRequire(resolve(environment, "package.json"));
const { AutoProcessor, AutoModelForSpeechSeq2Seq, Tensor, env } = load("@huggingface/transformers");

env.allowRemoteModels = false;
env.localModelPath = dirname(resolve(folder));

function floats(path) {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

function largestDifference(a, b) {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}

const { max_new_tokens, clips } = JSON.parse(readFileSync(clipsPath, "utf8"));
const name = basename(resolve(folder));
// The pins of infer/session.py, nested as onnxruntime-node wants them.
const extra = {
  mlas: { disable_kleidiai: "1", use_lut_gemm: "0" },
  session: { x64quantprecision: "1" },
};
const session_options = { intraOpNumThreads: 1, interOpNumThreads: 1, extra };
const model = await AutoModelForSpeechSeq2Seq.from_pretrained(name, { session_options });
const said = { language: "fr", task: "transcribe", max_new_tokens };

async function tokens(inputs) {
  const sequences = await model.generate({ inputs, ...said });
  return sequences[0].tolist().map(Number);
}

const needsProcessor = clips.some((clip) => clip.audio);
const processor = needsProcessor ? await AutoProcessor.from_pretrained(name) : null;
const found = [];
for (const clip of clips) {
  const mel = new Tensor("float32", floats(clip.mel), clip.shape);
  const row = { tokens: await tokens(mel) };
  if (clip.audio) {
    const own = (await processor(floats(clip.audio))).input_features;
    row.own_tokens = await tokens(own);
    row.own_text = processor.tokenizer.decode(row.own_tokens, { skip_special_tokens: true });
    row.mel_difference = largestDifference(own.data, mel.data);
  }
  found.push(row);
}
console.log(JSON.stringify({ version: env.version, clips: found }));
