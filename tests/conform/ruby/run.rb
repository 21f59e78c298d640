# frozen_string_literal: true

# Runs every case in turn, each on connections of its own, and prints a line for each.
# Words on the command line choose the cases whose name contains one of them; CONFORM_LATER names those that
# are left out, because they are ahead of the broker.

require_relative 'scene'

# The cases in the order they were written: a name and a block that takes the scene.
CASES = {}

def play(name, &steps)
  raise "two cases are named #{name}" if CASES.key?(name)

  CASES[name] = steps
end

%w[connection declare routing delivery publish transaction message].each do |file|
  require_relative "cases/#{file}"
end

# No further case is begun after this: a broker that answers nothing costs the deadline of every case.
WHOLE_RUN_SECONDS = 180
STARTED = Process.clock_gettime(Process::CLOCK_MONOTONIC)

LATER = ENV.fetch('CONFORM_LATER', '').split

def run(name, steps)
  if LATER.include?(name)
    puts "later ruby/#{name}"
    return true
  end
  if Process.clock_gettime(Process::CLOCK_MONOTONIC) - STARTED > WHOLE_RUN_SECONDS
    puts "FAIL ruby/#{name}: not begun, the run has taken #{WHOLE_RUN_SECONDS} s"
    return false
  end
  scene = Scene.new(name)
  reasons = [steps, :clean.to_proc].filter_map { |act| scene.fault_of(act) }
  scene.drop
  puts reasons.empty? ? "ok ruby/#{name}" : "FAIL ruby/#{name}: #{reasons.join('; ').gsub(/\s+/, ' ')}"
  reasons.empty?
end

# A line is told when it is known, also to a pipe.
$stdout.sync = true
chosen = CASES.select { |name, _| ARGV.empty? || ARGV.any? { |word| name.include?(word) } }
puts "FAIL ruby/run: no case is named like #{ARGV.join(', ')}" if chosen.empty?
passed = chosen.map { |name, steps| run(name, steps) }
exit!(passed.any? && passed.all? ? 0 : 1)
