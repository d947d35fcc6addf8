# frozen_string_literal: true

# Renders an ERB template to a file.

require "erb"
require "json"
require "fileutils"

PERMANENT = 3 # as exit_codes in template_render.component.yml has it

$stdout.sync = true # so that the log is live
EVENTS = IO.new(3, "w").tap { |io| io.sync = true }

# Tells Outrider something: one JSON object a line on descriptor 3.
def tell(event) = EVENTS.puts(JSON.generate({ outrider: 1, **event }))

params = JSON.parse($stdin.read)
template, target = params.values_at("template", "to")

begin
  text = ERB.new(File.read(template), trim_mode: "-").result_with_hash(params.fetch("values", {}))
rescue SystemCallError, SyntaxError, NameError => e
  tell(error: { code: "bad_template", message: e.message.lines.first.chomp })
  exit PERMANENT
end

partial = "#{target}.new"
File.write(partial, text)
FileUtils.mv(partial, target) # so that nobody reads half a file
puts "rendered #{template} to #{target}"
tell(output: { file: target, bytes: text.bytesize })
