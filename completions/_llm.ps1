
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'llm' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'llm'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'llm' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('ask', 'ask', [CompletionResultType]::ParameterValue, 'Ask one model and stream its answer')
            [CompletionResult]::new('compare', 'compare', [CompletionResultType]::ParameterValue, 'Ask several models at once and show their answers side by side')
            [CompletionResult]::new('pipeline', 'pipeline', [CompletionResultType]::ParameterValue, 'Run prompts that build on each other''s answers, as the config describes them')
            [CompletionResult]::new('rerun', 'rerun', [CompletionResultType]::ParameterValue, 'Send a recorded prompt again, elsewhere, and show the answers beside the recorded one')
            [CompletionResult]::new('models', 'models', [CompletionResultType]::ParameterValue, 'List what the gateway offers, with prices')
            [CompletionResult]::new('usage', 'usage', [CompletionResultType]::ParameterValue, 'Show calls, tokens and costs, and where money could be saved')
            [CompletionResult]::new('log', 'log', [CompletionResultType]::ParameterValue, 'List recorded calls, show one with its attempts, export or delete them')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Check config, key, gateway and terminal, and say how to solve what is wrong')
            [CompletionResult]::new('key', 'key', [CompletionResultType]::ParameterValue, 'Keep gateway keys in the keyring')
            [CompletionResult]::new('config', 'config', [CompletionResultType]::ParameterValue, 'Show, check or create the config file')
            [CompletionResult]::new('template', 'template', [CompletionResultType]::ParameterValue, 'List, show, make and edit templates of prompts')
            [CompletionResult]::new('cache', 'cache', [CompletionResultType]::ParameterValue, 'Show how much is in the answer cache, or empty it')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page')
            [CompletionResult]::new('demo-gateway', 'demo-gateway', [CompletionResultType]::ParameterValue, 'Run the demo gateway until stdin ends; prints its base URL')
            break
        }
        'llm;ask' {
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Use the gateway''s saved key of this name')
            [CompletionResult]::new('--fallback', '--fallback', [CompletionResultType]::ParameterName, 'Next model or alias when the one before fails; repeatable, in order')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit of a call with all its retries (`30s`, `2m`)')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'Retries after a failure that may pass')
            [CompletionResult]::new('--max-cost', '--max-cost', [CompletionResultType]::ParameterName, 'Send nothing that could cost the whole command more than this, in US dollars; needs --max-tokens, which bounds the answer')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'System prompt; `@FILE` reads a file')
            [CompletionResult]::new('--system', '--system', [CompletionResultType]::ParameterName, 'System prompt; `@FILE` reads a file')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Attach a text file, image, PDF or audio file, recognised by its content, or the URL of an image; repeatable')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Attach a text file, image, PDF or audio file, recognised by its content, or the URL of an image; repeatable')
            [CompletionResult]::new('--temperature', '--temperature', [CompletionResultType]::ParameterName, 'Sampling temperature, from 0 to 2')
            [CompletionResult]::new('--top-p', '--top-p', [CompletionResultType]::ParameterName, 'Nucleus sampling: the share of probability to choose from, from 0 to 1')
            [CompletionResult]::new('--max-tokens', '--max-tokens', [CompletionResultType]::ParameterName, 'Most output tokens')
            [CompletionResult]::new('--stop', '--stop', [CompletionResultType]::ParameterName, 'Stop at this text; repeatable')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Seed, for models that can repeat an answer')
            [CompletionResult]::new('--logprobs', '--logprobs', [CompletionResultType]::ParameterName, 'Add the log probability of each token to -o json, with N alternatives to each')
            [CompletionResult]::new('--effort', '--effort', [CompletionResultType]::ParameterName, 'Reasoning effort: none, minimal, low, medium, high or another level that the model has')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Any further field of the request body (`-p top_k=40`); a value that is not JSON is a string; repeatable')
            [CompletionResult]::new('--param', '--param', [CompletionResultType]::ParameterName, 'Any further field of the request body (`-p top_k=40`); a value that is not JSON is a string; repeatable')
            [CompletionResult]::new('--schema', '--schema', [CompletionResultType]::ParameterName, 'JSON Schema that the answer must follow; exit 9 if it does not')
            [CompletionResult]::new('--tools', '--tools', [CompletionResultType]::ParameterName, 'JSON array of functions that the model may call; -o json has its calls')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Tag of the record, by which costs can be grouped (`app=bot`); repeatable')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'What the ledger keeps of this run; everything by default')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write there instead of stdout, atomically')
            [CompletionResult]::new('-T', '-T ', [CompletionResultType]::ParameterName, 'Fill in this template of the config; the prompt and stdin are its input')
            [CompletionResult]::new('--template', '--template', [CompletionResultType]::ParameterName, 'Fill in this template of the config; the prompt and stdin are its input')
            [CompletionResult]::new('--var', '--var', [CompletionResultType]::ParameterName, 'Value of a variable of the template; repeatable')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'Model, alias or `GATEWAY::MODEL`')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'Model, alias or `GATEWAY::MODEL`')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Task of the config, which leads to a model or alias')
            [CompletionResult]::new('--task', '--task', [CompletionResultType]::ParameterName, 'Task of the config, which leads to a model or alias')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Continue the last conversation, or the one of the call with this id, with its model unless -m names another')
            [CompletionResult]::new('--continue', '--continue', [CompletionResultType]::ParameterName, 'Continue the last conversation, or the one of the call with this id, with its model unless -m names another')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Do not read stdin')
            [CompletionResult]::new('--no-stdin', '--no-stdin', [CompletionResultType]::ParameterName, 'Do not read stdin')
            [CompletionResult]::new('--cache', '--cache', [CompletionResultType]::ParameterName, 'Use the answer cache: print the stored answer to the same request, or store the new one')
            [CompletionResult]::new('--no-cache', '--no-cache', [CompletionResultType]::ParameterName, 'Do not use the answer cache, even if the config enables it')
            [CompletionResult]::new('--allow-unpriced', '--allow-unpriced', [CompletionResultType]::ParameterName, 'Send requests of unknown price even where a budget or --max-cost applies')
            [CompletionResult]::new('--no-stream', '--no-stream', [CompletionResultType]::ParameterName, 'Ask for the answer in one piece instead of a stream; the same as `-p stream=false`')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the HTTP request that would be sent, with its estimated cost; send nothing')
            [CompletionResult]::new('--stats', '--stats', [CompletionResultType]::ParameterName, 'Print a line of time, tokens and cost on stderr (the default on a terminal)')
            [CompletionResult]::new('--show-reasoning', '--show-reasoning', [CompletionResultType]::ParameterName, 'Print the model''s reasoning on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'llm;compare' {
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Use the gateway''s saved key of this name')
            [CompletionResult]::new('--fallback', '--fallback', [CompletionResultType]::ParameterName, 'Next model or alias when the one before fails; repeatable, in order')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit of a call with all its retries (`30s`, `2m`)')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'Retries after a failure that may pass')
            [CompletionResult]::new('--max-cost', '--max-cost', [CompletionResultType]::ParameterName, 'Send nothing that could cost the whole command more than this, in US dollars; needs --max-tokens, which bounds the answer')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'System prompt; `@FILE` reads a file')
            [CompletionResult]::new('--system', '--system', [CompletionResultType]::ParameterName, 'System prompt; `@FILE` reads a file')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Attach a text file, image, PDF or audio file, recognised by its content, or the URL of an image; repeatable')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Attach a text file, image, PDF or audio file, recognised by its content, or the URL of an image; repeatable')
            [CompletionResult]::new('--temperature', '--temperature', [CompletionResultType]::ParameterName, 'Sampling temperature, from 0 to 2')
            [CompletionResult]::new('--top-p', '--top-p', [CompletionResultType]::ParameterName, 'Nucleus sampling: the share of probability to choose from, from 0 to 1')
            [CompletionResult]::new('--max-tokens', '--max-tokens', [CompletionResultType]::ParameterName, 'Most output tokens')
            [CompletionResult]::new('--stop', '--stop', [CompletionResultType]::ParameterName, 'Stop at this text; repeatable')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Seed, for models that can repeat an answer')
            [CompletionResult]::new('--logprobs', '--logprobs', [CompletionResultType]::ParameterName, 'Add the log probability of each token to -o json, with N alternatives to each')
            [CompletionResult]::new('--effort', '--effort', [CompletionResultType]::ParameterName, 'Reasoning effort: none, minimal, low, medium, high or another level that the model has')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Any further field of the request body (`-p top_k=40`); a value that is not JSON is a string; repeatable')
            [CompletionResult]::new('--param', '--param', [CompletionResultType]::ParameterName, 'Any further field of the request body (`-p top_k=40`); a value that is not JSON is a string; repeatable')
            [CompletionResult]::new('--schema', '--schema', [CompletionResultType]::ParameterName, 'JSON Schema that the answer must follow; exit 9 if it does not')
            [CompletionResult]::new('--tools', '--tools', [CompletionResultType]::ParameterName, 'JSON array of functions that the model may call; -o json has its calls')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Tag of the record, by which costs can be grouped (`app=bot`); repeatable')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'What the ledger keeps of this run; everything by default')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write there instead of stdout, atomically')
            [CompletionResult]::new('-T', '-T ', [CompletionResultType]::ParameterName, 'Fill in this template of the config; the prompt and stdin are its input')
            [CompletionResult]::new('--template', '--template', [CompletionResultType]::ParameterName, 'Fill in this template of the config; the prompt and stdin are its input')
            [CompletionResult]::new('--var', '--var', [CompletionResultType]::ParameterName, 'Value of a variable of the template; repeatable')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'Models, comma-separated or repeated; each is a model, an alias or `GATEWAY::MODEL`')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'Models, comma-separated or repeated; each is a model, an alias or `GATEWAY::MODEL`')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Tasks of the config, each of which leads to a model or alias; comma-separated or repeated')
            [CompletionResult]::new('--task', '--task', [CompletionResultType]::ParameterName, 'Tasks of the config, each of which leads to a model or alias; comma-separated or repeated')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'A list of models from the config')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'How many calls run at once; all by default')
            [CompletionResult]::new('--repeat', '--repeat', [CompletionResultType]::ParameterName, 'Ask each model N times without the answer cache, and show median and spread')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'Order of the answers; as asked by default')
            [CompletionResult]::new('--layout', '--layout', [CompletionResultType]::ParameterName, 'Answers side by side or below each other; by width by default')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Do not read stdin')
            [CompletionResult]::new('--no-stdin', '--no-stdin', [CompletionResultType]::ParameterName, 'Do not read stdin')
            [CompletionResult]::new('--cache', '--cache', [CompletionResultType]::ParameterName, 'Use the answer cache: print the stored answer to the same request, or store the new one')
            [CompletionResult]::new('--no-cache', '--no-cache', [CompletionResultType]::ParameterName, 'Do not use the answer cache, even if the config enables it')
            [CompletionResult]::new('--allow-unpriced', '--allow-unpriced', [CompletionResultType]::ParameterName, 'Send requests of unknown price even where a budget or --max-cost applies')
            [CompletionResult]::new('--no-stream', '--no-stream', [CompletionResultType]::ParameterName, 'Ask for the answer in one piece instead of a stream; the same as `-p stream=false`')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the HTTP request that would be sent, with its estimated cost; send nothing')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'llm;pipeline' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run the steps and print the answer of the last one; steps that do not use one another run at once')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the pipelines of the config')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show the steps of a pipeline, their models, and which steps each of them uses')
            break
        }
        'llm;pipeline;run' {
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Use the gateway''s saved key of this name')
            [CompletionResult]::new('--fallback', '--fallback', [CompletionResultType]::ParameterName, 'Next model or alias when the one before fails; repeatable, in order')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit of a call with all its retries (`30s`, `2m`)')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'Retries after a failure that may pass')
            [CompletionResult]::new('--max-cost', '--max-cost', [CompletionResultType]::ParameterName, 'Send nothing that could cost the whole command more than this, in US dollars; needs --max-tokens, which bounds the answer')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'System prompt; `@FILE` reads a file')
            [CompletionResult]::new('--system', '--system', [CompletionResultType]::ParameterName, 'System prompt; `@FILE` reads a file')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Attach a text file, image, PDF or audio file, recognised by its content, or the URL of an image; repeatable')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Attach a text file, image, PDF or audio file, recognised by its content, or the URL of an image; repeatable')
            [CompletionResult]::new('--temperature', '--temperature', [CompletionResultType]::ParameterName, 'Sampling temperature, from 0 to 2')
            [CompletionResult]::new('--top-p', '--top-p', [CompletionResultType]::ParameterName, 'Nucleus sampling: the share of probability to choose from, from 0 to 1')
            [CompletionResult]::new('--max-tokens', '--max-tokens', [CompletionResultType]::ParameterName, 'Most output tokens')
            [CompletionResult]::new('--stop', '--stop', [CompletionResultType]::ParameterName, 'Stop at this text; repeatable')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Seed, for models that can repeat an answer')
            [CompletionResult]::new('--logprobs', '--logprobs', [CompletionResultType]::ParameterName, 'Add the log probability of each token to -o json, with N alternatives to each')
            [CompletionResult]::new('--effort', '--effort', [CompletionResultType]::ParameterName, 'Reasoning effort: none, minimal, low, medium, high or another level that the model has')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Any further field of the request body (`-p top_k=40`); a value that is not JSON is a string; repeatable')
            [CompletionResult]::new('--param', '--param', [CompletionResultType]::ParameterName, 'Any further field of the request body (`-p top_k=40`); a value that is not JSON is a string; repeatable')
            [CompletionResult]::new('--schema', '--schema', [CompletionResultType]::ParameterName, 'JSON Schema that the answer must follow; exit 9 if it does not')
            [CompletionResult]::new('--tools', '--tools', [CompletionResultType]::ParameterName, 'JSON array of functions that the model may call; -o json has its calls')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Tag of the record, by which costs can be grouped (`app=bot`); repeatable')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'What the ledger keeps of this run; everything by default')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write there instead of stdout, atomically')
            [CompletionResult]::new('--step', '--step', [CompletionResultType]::ParameterName, 'Print the answer of this step instead of the last one''s')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Do not read stdin')
            [CompletionResult]::new('--no-stdin', '--no-stdin', [CompletionResultType]::ParameterName, 'Do not read stdin')
            [CompletionResult]::new('--cache', '--cache', [CompletionResultType]::ParameterName, 'Use the answer cache: print the stored answer to the same request, or store the new one')
            [CompletionResult]::new('--no-cache', '--no-cache', [CompletionResultType]::ParameterName, 'Do not use the answer cache, even if the config enables it')
            [CompletionResult]::new('--allow-unpriced', '--allow-unpriced', [CompletionResultType]::ParameterName, 'Send requests of unknown price even where a budget or --max-cost applies')
            [CompletionResult]::new('--no-stream', '--no-stream', [CompletionResultType]::ParameterName, 'Ask for the answer in one piece instead of a stream; the same as `-p stream=false`')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the HTTP request that would be sent, with its estimated cost; send nothing')
            [CompletionResult]::new('--stats', '--stats', [CompletionResultType]::ParameterName, 'Print a table of steps, times and costs on stderr (the default on a terminal)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'llm;pipeline;list' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;pipeline;show' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;rerun' {
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'Models, comma-separated or repeated; the same as then if none is named')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'Models, comma-separated or repeated; the same as then if none is named')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Use the gateway''s saved key of this name')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'What the ledger keeps of this run; everything by default')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write there instead of stdout, atomically')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'llm;models' {
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Use the gateway''s saved key of this name')
            [CompletionResult]::new('--supports', '--supports', [CompletionResultType]::ParameterName, 'Only models that can do all of these: tools, vision, json, reasoning, audio')
            [CompletionResult]::new('--max-price', '--max-price', [CompletionResultType]::ParameterName, 'Only models whose input and output both cost at most this many USD per million tokens')
            [CompletionResult]::new('--min-context', '--min-context', [CompletionResultType]::ParameterName, 'Only models with a context window of at least this many tokens (`128k`)')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'Order of the list')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--refresh', '--refresh', [CompletionResultType]::ParameterName, 'Ask the gateway even if a recent list is cached')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List models, as without a subcommand')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show all about one model, and what it costs at every gateway that has it')
            break
        }
        'llm;models;list' {
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Use the gateway''s saved key of this name')
            [CompletionResult]::new('--supports', '--supports', [CompletionResultType]::ParameterName, 'Only models that can do all of these: tools, vision, json, reasoning, audio')
            [CompletionResult]::new('--max-price', '--max-price', [CompletionResultType]::ParameterName, 'Only models whose input and output both cost at most this many USD per million tokens')
            [CompletionResult]::new('--min-context', '--min-context', [CompletionResultType]::ParameterName, 'Only models with a context window of at least this many tokens (`128k`)')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'Order of the list')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--refresh', '--refresh', [CompletionResultType]::ParameterName, 'Ask the gateway even if a recent list is cached')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;models;show' {
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Use the gateway''s saved key of this name')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--refresh', '--refresh', [CompletionResultType]::ParameterName, 'Ask the gateways even if recent lists are cached')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;usage' {
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'Only models whose name holds this text')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'Only models whose name holds this text')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Only calls to this gateway')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Only calls to this gateway')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Only calls paid with this key')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Only calls of this task')
            [CompletionResult]::new('--task', '--task', [CompletionResultType]::ParameterName, 'Only calls of this task')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Only calls with this tag, of any value if none is given; repeatable')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Only calls with this status')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only calls since this time: `7d`, `12h`, a date or a time (UTC)')
            [CompletionResult]::new('--before', '--before', [CompletionResultType]::ParameterName, 'Only calls before this time')
            [CompletionResult]::new('--by', '--by', [CompletionResultType]::ParameterName, 'What to group by, comma-separated or repeated: model, gateway, provider, key, task, day, status, tag:NAME')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write there instead of stdout, atomically')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--budgets', '--budgets', [CompletionResultType]::ParameterName, 'Show instead what is left of each budget of the config')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Compare the ledger with what gateways say was spent; -g and --key choose')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;log' {
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'Only models whose name holds this text')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'Only models whose name holds this text')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Only calls to this gateway')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Only calls to this gateway')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Only calls paid with this key')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Only calls of this task')
            [CompletionResult]::new('--task', '--task', [CompletionResultType]::ParameterName, 'Only calls of this task')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Only calls with this tag, of any value if none is given; repeatable')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Only calls with this status')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only calls since this time: `7d`, `12h`, a date or a time (UTC)')
            [CompletionResult]::new('--before', '--before', [CompletionResultType]::ParameterName, 'Only calls before this time')
            [CompletionResult]::new('--search', '--search', [CompletionResultType]::ParameterName, 'Only calls with all of these words in prompt or answer')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The most calls to list; 0 lists all')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'The most calls to list; 0 lists all')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List calls, newest first')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show one call with all of its attempts')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Write calls in the format of another program')
            [CompletionResult]::new('purge', 'purge', [CompletionResultType]::ParameterValue, 'Delete calls for good')
            break
        }
        'llm;log;list' {
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'Only models whose name holds this text')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'Only models whose name holds this text')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Only calls to this gateway')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Only calls to this gateway')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Only calls paid with this key')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Only calls of this task')
            [CompletionResult]::new('--task', '--task', [CompletionResultType]::ParameterName, 'Only calls of this task')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Only calls with this tag, of any value if none is given; repeatable')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Only calls with this status')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only calls since this time: `7d`, `12h`, a date or a time (UTC)')
            [CompletionResult]::new('--before', '--before', [CompletionResultType]::ParameterName, 'Only calls before this time')
            [CompletionResult]::new('--search', '--search', [CompletionResultType]::ParameterName, 'Only calls with all of these words in prompt or answer')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The most calls to list; 0 lists all')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'The most calls to list; 0 lists all')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;log;show' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--conversation', '--conversation', [CompletionResultType]::ParameterName, 'Show the whole conversation that it belongs to')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;log;export' {
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'Only models whose name holds this text')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'Only models whose name holds this text')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Only calls to this gateway')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Only calls to this gateway')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Only calls paid with this key')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Only calls of this task')
            [CompletionResult]::new('--task', '--task', [CompletionResultType]::ParameterName, 'Only calls of this task')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Only calls with this tag, of any value if none is given; repeatable')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Only calls with this status')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only calls since this time: `7d`, `12h`, a date or a time (UTC)')
            [CompletionResult]::new('--before', '--before', [CompletionResultType]::ParameterName, 'Only calls before this time')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Which format')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write there instead of stdout, atomically')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'llm;log;purge' {
            [CompletionResult]::new('--before', '--before', [CompletionResultType]::ParameterName, 'Those before this time: `90d`, a date or a time (UTC)')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'All of them')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;doctor' {
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Use the gateway''s saved key of this name')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;key' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('set', 'set', [CompletionResultType]::ParameterValue, 'Save a gateway''s key: asked for without echo, or read from stdin')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List saved keys and those in the environment')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show where a gateway''s key comes from, and its last four characters')
            [CompletionResult]::new('test', 'test', [CompletionResultType]::ParameterValue, 'Ask the gateway whether it takes the key')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Remove a saved key')
            break
        }
        'llm;key;set' {
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Keep it under this name, beside others of the same gateway')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'Where to keep it; the keyring by default')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'llm;key;list' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;key;show' {
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'The key of this name')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;key;test' {
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'The key of this name')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;key;rm' {
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'The key of this name')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;config' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('path', 'path', [CompletionResultType]::ParameterValue, 'Print where the config file is')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Print the settings in force and where each comes from')
            [CompletionResult]::new('edit', 'edit', [CompletionResultType]::ParameterValue, 'Open the config file in $VISUAL or $EDITOR, then check it')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check the config file')
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Create a commented config file')
            break
        }
        'llm;config;path' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;config;show' {
            [CompletionResult]::new('--route', '--route', [CompletionResultType]::ParameterName, 'Explain where this task, alias or model leads, and why in that order')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Gateway for names without `GATEWAY::`, with --route')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Gateway for names without `GATEWAY::`, with --route')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;config;edit' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;config;check' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;config;init' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace one that exists')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;template' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the templates of the config, with their variables')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a template, its variables and where it leads')
            break
        }
        'llm;template;list' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;template;show' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;cache' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Show how many answers are stored, and their size')
            [CompletionResult]::new('clear', 'clear', [CompletionResultType]::ParameterValue, 'Delete all stored answers')
            break
        }
        'llm;cache;stats' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;cache;clear' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;completions' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;man' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;demo-gateway' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
