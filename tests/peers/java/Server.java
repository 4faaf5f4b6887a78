import java.rmi.registry.LocateRegistry;
import java.rmi.registry.Registry;
import java.rmi.server.UnicastRemoteObject;

/** Serves until its standard input ends. Prints the registry's port. */
public final class Server implements Echo {
    @Override
    public long echo(long number) {
        return number;
    }

    public static void main(String[] arguments) throws Exception {
        System.setProperty("java.rmi.server.hostname", "127.0.0.1");
        Server server = new Server();
        int port = 20000 + (int) (ProcessHandle.current().pid() % 20000);
        Registry registry = LocateRegistry.createRegistry(port);
        registry.bind("echo", (Echo) UnicastRemoteObject.exportObject(server, 0));
        System.out.println(port);
        System.in.read();
        System.exit(0);
    }
}
