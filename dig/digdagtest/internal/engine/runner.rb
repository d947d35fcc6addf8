# Runs one method of the project for the double of Digdag: a top level one, or
# Class.method, which may be the class's own or an instance's.
#
# Started as runner.rb COMMAND INPUT OUTPUT. Arguments are the parameters of the
# same names; Digdag.env has store, export and add_subtask.
require 'json'

command, source, target = ARGV
GIVEN = JSON.parse(File.read(source))['params']
RESULT = { 'subtask_config' => {}, 'export_params' => {}, 'store_params' => {} }

module Digdag
  class Env
    def params = GIVEN
    def store(**more) = RESULT['store_params'].merge!(more)
    def export(**more) = RESULT['export_params'].merge!(more)

    def add_subtask(*words)
      config = words.last.is_a?(Hash) ? words.pop.dup : {}
      config['rb>'] = words.join('.') unless words.empty?
      RESULT['subtask_config']["+subtask#{RESULT['subtask_config'].size}"] = config
      nil
    end
  end
  def self.env = (@env ||= Env.new)
end

# The arguments that a method asks for. Those by name come as one Hash at the
# end, which Ruby 3 does not take: neither does it of a real Digdag 0.10.5.1.
def fitting(method, name)
  list = []
  named = {}
  method.parameters.each do |kind, key|
    there = GIVEN.key?(key.to_s)
    raise ArgumentError, "Method '#{name}' requires parameter '#{key}' but not set" if %i[req keyreq].include?(kind) && !there
    list << GIVEN[key.to_s] if %i[req opt].include?(kind) && there
    named[key] = GIVEN[key.to_s] if %i[keyreq key].include?(kind) && there
  end
  named.empty? ? list : list << named
end

def call(receiver, name)
  receiver.send(name, *fitting(receiver.method(name), name))
end

$LOAD_PATH << Dir.pwd
begin
  owner, _, name = command.rpartition('.')
  if owner.empty?
    call(self, name.to_sym)
  else
    klass = Object.const_get(owner)
    instance = klass.public_instance_methods.include?(name.to_sym)
    call(instance ? klass.new : klass, name.to_sym)
  end
rescue StandardError => e
  problem = e
  RESULT['error'] = { 'class' => e.class.to_s, 'message' => e.message, 'backtrace' => e.backtrace }
end
File.write(target, RESULT.to_json)
raise problem if problem
