
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
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Be a gateway for other programs, with keys, budgets and limits for each')
            [CompletionResult]::new('models', 'models', [CompletionResultType]::ParameterValue, 'List what the gateway offers, with prices')
            [CompletionResult]::new('usage', 'usage', [CompletionResultType]::ParameterValue, 'Show calls, tokens and costs, and where money could be saved')
            [CompletionResult]::new('log', 'log', [CompletionResultType]::ParameterValue, 'List recorded calls, show one with its attempts, export or delete them')
            [CompletionResult]::new('probe', 'probe', [CompletionResultType]::ParameterValue, 'Find out by small requests what models can really do here: tools, images, seeds and more')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Check config, key, gateway and terminal, and say how to solve what is wrong')
            [CompletionResult]::new('key', 'key', [CompletionResultType]::ParameterValue, 'Keep gateway keys in the keyring')
            [CompletionResult]::new('config', 'config', [CompletionResultType]::ParameterValue, 'Show, change, check or create the config file')
            [CompletionResult]::new('alias', 'alias', [CompletionResultType]::ParameterValue, 'List, show, set and remove names for models')
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
            [CompletionResult]::new('--score', '--score', [CompletionResultType]::ParameterName, 'Score the answers: exact:TEXT, contains:TEXT, regex:PATTERN, schema:FILE, agreement, confidence, shortest, fastest, cheapest or command:PROGRAM; `*N` after it is its weight beside others; repeatable')
            [CompletionResult]::new('--judge', '--judge', [CompletionResultType]::ParameterName, 'Let this model score the answers, without their names and in changing order; several make a panel; repeatable')
            [CompletionResult]::new('--criteria', '--criteria', [CompletionResultType]::ParameterName, 'What judges score by; `@FILE` reads a file')
            [CompletionResult]::new('--fail-under', '--fail-under', [CompletionResultType]::ParameterName, 'Exit with 9 if the best score is below this, or not known')
            [CompletionResult]::new('--against', '--against', [CompletionResultType]::ParameterName, 'Show how they differ from the answer of this model')
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
            [CompletionResult]::new('--judge-own', '--judge-own', [CompletionResultType]::ParameterName, 'Let judges score answers of their own model as well')
            [CompletionResult]::new('--reasons', '--reasons', [CompletionResultType]::ParameterName, 'Show the reasons for the scores')
            [CompletionResult]::new('--best', '--best', [CompletionResultType]::ParameterName, 'Print the text of the best answer alone')
            [CompletionResult]::new('--vote', '--vote', [CompletionResultType]::ParameterName, 'Show the answers as A, B, C, ask which is best, then show their names; `usage --by wins` counts the votes')
            [CompletionResult]::new('--diff', '--diff', [CompletionResultType]::ParameterName, 'Show how the answers differ from the first one, word by word on a terminal')
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
        'llm;serve' {
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Address to listen on')
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Address to listen on')
            [CompletionResult]::new('--max-in-flight', '--max-in-flight', [CompletionResultType]::ParameterName, 'Requests that run at once; others wait, fair by key')
            [CompletionResult]::new('--max-waiting', '--max-waiting', [CompletionResultType]::ParameterName, 'Requests that wait at most; further ones get 503')
            [CompletionResult]::new('--max-connections', '--max-connections', [CompletionResultType]::ParameterName, 'Connections at once')
            [CompletionResult]::new('--max-body', '--max-body', [CompletionResultType]::ParameterName, 'Largest body of a request, in MiB')
            [CompletionResult]::new('--idle', '--idle', [CompletionResultType]::ParameterName, 'How long a client may be silent where something is awaited from it')
            [CompletionResult]::new('--drain', '--drain', [CompletionResultType]::ParameterName, 'How long running requests may go on after SIGTERM')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'What the ledger keeps of this run; everything by default')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('key', 'key', [CompletionResultType]::ParameterValue, 'Make, change and revoke the keys of clients')
            break
        }
        'llm;serve;key' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('new', 'new', [CompletionResultType]::ParameterValue, 'Make a key; it is shown once')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the keys')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show what a key may do')
            [CompletionResult]::new('edit', 'edit', [CompletionResultType]::ParameterValue, 'Change what a key may do; `none` removes a limit')
            [CompletionResult]::new('rotate', 'rotate', [CompletionResultType]::ParameterValue, 'Give a key a new secret, which is shown once')
            [CompletionResult]::new('revoke', 'revoke', [CompletionResultType]::ParameterValue, 'End a key for good')
            break
        }
        'llm;serve;key;new' {
            [CompletionResult]::new('--models', '--models', [CompletionResultType]::ParameterName, 'Models and aliases that it may be used for; `*` is any text')
            [CompletionResult]::new('--refuse', '--refuse', [CompletionResultType]::ParameterName, 'Those that it may not be used for')
            [CompletionResult]::new('--budget', '--budget', [CompletionResultType]::ParameterName, 'Most that it may spend: `5/day`; hour, day, week, month, total')
            [CompletionResult]::new('--rpm', '--rpm', [CompletionResultType]::ParameterName, 'Requests a minute')
            [CompletionResult]::new('--tpm', '--tpm', [CompletionResultType]::ParameterName, 'Tokens a minute: `200k`')
            [CompletionResult]::new('--in-flight', '--in-flight', [CompletionResultType]::ParameterName, 'Requests at once')
            [CompletionResult]::new('--expires', '--expires', [CompletionResultType]::ParameterName, 'When it ends: `30d`, or a date or time (UTC)')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Tags of all of its calls')
            [CompletionResult]::new('--class', '--class', [CompletionResultType]::ParameterName, 'Rules of `[key_class.NAME]` in the config, where it has none of its own')
            [CompletionResult]::new('--admin', '--admin', [CompletionResultType]::ParameterName, 'It may administer the server')
            [CompletionResult]::new('--note', '--note', [CompletionResultType]::ParameterName, 'What to remember of it')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;serve;key;list' {
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
        'llm;serve;key;show' {
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
        'llm;serve;key;edit' {
            [CompletionResult]::new('--models', '--models', [CompletionResultType]::ParameterName, 'Models and aliases that it may be used for; `*` is any text')
            [CompletionResult]::new('--refuse', '--refuse', [CompletionResultType]::ParameterName, 'Those that it may not be used for')
            [CompletionResult]::new('--budget', '--budget', [CompletionResultType]::ParameterName, 'Most that it may spend: `5/day`; hour, day, week, month, total')
            [CompletionResult]::new('--rpm', '--rpm', [CompletionResultType]::ParameterName, 'Requests a minute')
            [CompletionResult]::new('--tpm', '--tpm', [CompletionResultType]::ParameterName, 'Tokens a minute: `200k`')
            [CompletionResult]::new('--in-flight', '--in-flight', [CompletionResultType]::ParameterName, 'Requests at once')
            [CompletionResult]::new('--expires', '--expires', [CompletionResultType]::ParameterName, 'When it ends: `30d`, or a date or time (UTC)')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Tags of all of its calls')
            [CompletionResult]::new('--class', '--class', [CompletionResultType]::ParameterName, 'Rules of `[key_class.NAME]` in the config, where it has none of its own')
            [CompletionResult]::new('--admin', '--admin', [CompletionResultType]::ParameterName, 'It may administer the server')
            [CompletionResult]::new('--note', '--note', [CompletionResultType]::ParameterName, 'What to remember of it')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;serve;key;rotate' {
            [CompletionResult]::new('--grace', '--grace', [CompletionResultType]::ParameterName, 'How long the old secret is still good')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;serve;key;revoke' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;models' {
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Use the gateway''s saved key of this name')
            [CompletionResult]::new('--supports', '--supports', [CompletionResultType]::ParameterName, 'Only models that can do all of these, by `llm probe` or else by the gateway''s list: tools, vision, json, reasoning, audio; and what only a probe finds out, such as stop or seed')
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
            [CompletionResult]::new('default', 'default', [CompletionResultType]::ParameterValue, 'Print the model that is asked where none is named, or set it in the config file')
            break
        }
        'llm;models;list' {
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Use the gateway''s saved key of this name')
            [CompletionResult]::new('--supports', '--supports', [CompletionResultType]::ParameterName, 'Only models that can do all of these, by `llm probe` or else by the gateway''s list: tools, vision, json, reasoning, audio; and what only a probe finds out, such as stop or seed')
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
        'llm;models;default' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
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
            [CompletionResult]::new('--by', '--by', [CompletionResultType]::ParameterName, 'What to group by, comma-separated or repeated: model, gateway, provider, key, task, day, status, tag:NAME; or wins: which models people and judges prefer')
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
            [CompletionResult]::new('--audit', '--audit', [CompletionResultType]::ParameterName, 'Show who changed which key of `llm serve`, instead of calls')
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
            [CompletionResult]::new('--audit', '--audit', [CompletionResultType]::ParameterName, 'Show who changed which key of `llm serve`, instead of calls')
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
        'llm;probe' {
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'Models, comma-separated or repeated; each is a model, an alias or `GATEWAY::MODEL`; by default those that the gateway''s settings name')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'Models, comma-separated or repeated; each is a model, an alias or `GATEWAY::MODEL`; by default those that the gateway''s settings name')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Gateway to ask where no name says another (`GATEWAY::MODEL`)')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Use the gateway''s saved key of this name')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Only these features: stream, system, stop, seed, max_tokens, tools, parallel_tools, json_schema, image, pdf, logprobs, reasoning, usage, cost')
            [CompletionResult]::new('--deep', '--deep', [CompletionResultType]::ParameterName, 'Find out as well how long a prompt is really accepted, with long prompts of at most TOKENS, or of the length that the gateway lists')
            [CompletionResult]::new('--max-cost', '--max-cost', [CompletionResultType]::ParameterName, 'Refuse what is expected to cost more than this, in US dollars, and send no request with which it could cost more')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit of a request with all its retries (`30s`, `2m`)')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'Retries after a failure that may pass')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'How many requests run at once')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'What the ledger keeps of this run; everything by default')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write there instead of stdout, atomically')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Format of the output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('--allow-unpriced', '--allow-unpriced', [CompletionResultType]::ParameterName, 'Send requests of unknown price even where a budget or --max-cost applies')
            [CompletionResult]::new('--evidence', '--evidence', [CompletionResultType]::ParameterName, 'Show for each finding what was sent and what came back')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the HTTP requests that would be sent, with their estimated costs; send nothing')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
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
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Print one setting in force')
            [CompletionResult]::new('set', 'set', [CompletionResultType]::ParameterValue, 'Set one setting in the config file, whose comments and order stay')
            [CompletionResult]::new('unset', 'unset', [CompletionResultType]::ParameterValue, 'Remove one setting from the config file')
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
        'llm;config;get' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;config;set' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;config;unset' {
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
        'llm;alias' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the aliases of the config')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show an alias as the config has it')
            [CompletionResult]::new('set', 'set', [CompletionResultType]::ParameterValue, 'Make an alias in the config file, or change one')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Remove an alias from the config file')
            break
        }
        'llm;alias;list' {
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
        'llm;alias;show' {
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
        'llm;alias;set' {
            [CompletionResult]::new('--strategy', '--strategy', [CompletionResultType]::ParameterName, 'In which order they are tried; as written by default')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'llm;alias;rm' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
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
            [CompletionResult]::new('new', 'new', [CompletionResultType]::ParameterValue, 'Make a template in the config file: with these texts, or in $VISUAL or $EDITOR')
            [CompletionResult]::new('edit', 'edit', [CompletionResultType]::ParameterValue, 'Change a template in $VISUAL or $EDITOR')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Remove a template from the config file')
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
        'llm;template;new' {
            [CompletionResult]::new('--prompt', '--prompt', [CompletionResultType]::ParameterName, 'The prompt; `{{ input }}` stands for the input')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'The system prompt')
            [CompletionResult]::new('--system', '--system', [CompletionResultType]::ParameterName, 'The system prompt')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'Model, alias or `GATEWAY::MODEL`')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'Model, alias or `GATEWAY::MODEL`')
            [CompletionResult]::new('--description', '--description', [CompletionResultType]::ParameterName, 'One line that says what it is for')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;template;edit' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colors')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors on stderr')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print on stderr where keys come from, and each request and response')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'llm;template;rm' {
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
