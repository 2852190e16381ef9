final class Args {
    private Args() {}

    static String text(String[] args, String name) {
        for (int i = 0; i + 1 < args.length; i++) {
            if (args[i].equals("--" + name)) {
                return args[i + 1];
            }
        }
        return null;
    }

    static long num(String[] args, String name, long dflt) {
        String s = text(args, name);
        return s == null ? dflt : Long.parseLong(s);
    }
}
